"""Checks of peaks, loudness, and faults in the samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.mixing.findings import Advice, Case, Check, Finding, Where, register

HIGHEST_TRUE_PEAK_DBTP = -1.0
"""Ceiling asked for by Spotify, YouTube, Tidal, Deezer and Apple (pages of mid-2026)."""

PLAYBACK_LUFS = -14.0
"""Playback loudness of Spotify, YouTube and Tidal (pages of mid-2026)."""

QUIET_LUFS = {"classical": -27.0, "jazz": -23.0}
QUIET_LUFS_ELSEWHERE = -19.0
CLIPPED_RUNS_PER_MINUTE = 10.0
DC_OFFSET = 0.001
LARGE_DC_OFFSET = 0.01
LONG_HEAD_S = 1.5
LONG_TAIL_S = 6.0


@register
class TruePeakCheck(Check):
    id = "true_peak"
    category = "loudness"

    def findings(self, case: Case) -> Iterator[Finding]:
        peak = case.evidence.true_peak_dbtp
        if peak is None or peak <= HIGHEST_TRUE_PEAK_DBTP:
            return
        over = peak - HIGHEST_TRUE_PEAK_DBTP
        yield self.found(
            severity="warning" if peak > 0.0 else "advice",
            title=f"True peak at {peak:+.1f} dBTP",
            explanation=(
                "Streaming services encode to lossy formats, which raises peaks: above "
                f"{HIGHEST_TRUE_PEAK_DBTP:g} dBTP they may distort on the listener's device."
            ),
            amount_db=over,
            importance=over,
            advice=Advice(
                f"Lower the limiter's ceiling to {HIGHEST_TRUE_PEAK_DBTP:g} dB in true-peak mode, "
                f"or the whole track by {over:.1f} dB."
            ),
        )


@register
class ClippingCheck(Check):
    id = "clipping"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        if evidence.clipped_runs == 0:
            return
        per_minute = 60.0 * evidence.clipped_runs / max(evidence.duration_s, 1.0)
        times = evidence.clipped_at_s
        places = "place" if evidence.clipped_runs == 1 else "places"
        yield self.found(
            severity="warning" if per_minute > CLIPPED_RUNS_PER_MINUTE else "advice",
            title=f"Clipped in {evidence.clipped_runs:,} {places}",
            explanation=(
                "Three or more samples in a row stand at full scale: the wave's top is cut off, "
                "which is heard as crackle or as harshness."
            ),
            where=Where(start_s=times[0], end_s=times[-1]) if times else None,
            confidence=1.0 if evidence.lossless else 0.8,
            importance=min(6.0, 1.0 + float(np.log2(1.0 + per_minute))),
            advice=Advice(
                "Export again with less gain before the master bus; what is cut off cannot be "
                "brought back by turning the file down."
            ),
        )


@register
class QuietCheck(Check):
    id = "quiet"
    category = "loudness"

    def findings(self, case: Case) -> Iterator[Finding]:
        loudness = case.evidence.integrated_lufs
        floor = QUIET_LUFS.get(case.target.genre, QUIET_LUFS_ELSEWHERE)
        if loudness is None or loudness >= floor:
            return
        under = floor - loudness
        room = HIGHEST_TRUE_PEAK_DBTP - (case.evidence.true_peak_dbtp or 0.0)
        way = (
            f"There are {room:.1f} dB of room below the peak ceiling: raise the whole track."
            if room >= under
            else "Even out the loudest peaks with a compressor or limiter, then raise the track."
        )
        yield self.found(
            severity="advice" if under > 4.0 else "info",
            title=f"Quiet at {loudness:.1f} LUFS",
            explanation=(
                "Not every player raises quiet tracks: beside others, this one will sound small."
            ),
            amount_db=-under,
            importance=0.5 * under,
            advice=Advice(way),
        )


@register
class OffsetCheck(Check):
    id = "dc_offset"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        offset = max((abs(value) for value in case.evidence.dc_offset), default=0.0)
        if offset < DC_OFFSET:
            return
        over = 20.0 * float(np.log10(offset / DC_OFFSET))
        yield self.found(
            severity="advice" if offset >= LARGE_DC_OFFSET else "info",
            title=f"The wave is off centre by {100 * offset:.1f} %",
            explanation=(
                "A constant offset takes headroom on one side and clicks at every cut. It comes "
                "from converters or asymmetric distortion."
            ),
            amount_db=over,
            importance=0.05 * over,
            advice=Advice("Put a high-pass filter at 10 to 20 Hz on the track that brings it in."),
        )


@register
class SilenceCheck(Check):
    id = "silence"
    category = "technical"

    def findings(self, case: Case) -> Iterator[Finding]:
        evidence = case.evidence
        head, tail = evidence.silence_head_s, evidence.silence_tail_s
        places, wheres = [], []
        if head > LONG_HEAD_S:
            places.append(f"{head:.1f} s at the beginning")
            wheres.append(Where(start_s=0.0, end_s=head))
        if tail > LONG_TAIL_S:
            places.append(f"{tail:.1f} s at the end")
            wheres.append(Where(start_s=evidence.duration_s - tail, end_s=evidence.duration_s))
        if not places:
            return
        yield self.found(
            severity="info",
            title=f"Silence: {' and '.join(places)}",
            explanation="Listeners skip a track that does not start, and gaps break playlists.",
            where=wheres[0],
            importance=0.3,
            advice=Advice("Trim it, unless it is meant."),
        )
