"""Release checks of the sound: peaks before and after encoding, loudness, faults, the file."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.mixing.level_checks import (
    CLIPPED_RUNS_PER_MINUTE,
    DC_OFFSET,
    LARGE_DC_OFFSET,
    LONG_HEAD_S,
    LONG_TAIL_S,
)
from analysis.mixing.release import (
    READING_DB,
    EncodedPeak,
    ReleaseCheck,
    ReleaseFacts,
    ReleaseItem,
    decibels,
    register,
)
from analysis.mixing.stereo_checks import (
    LARGEST_MONO_LOSS_DB,
    LEAST_CORRELATION,
    WARNING_BALANCE_DB,
)

FULL_SCALE_DBTP = 0.0
CLEARLY_OVER_DB = 1.0
FAR_FROM_REFERENCE_LU = 5.0
LEAST_RATE_HZ = 44_100
LEAST_BIT_DEPTH = 16


@register
class EncodedPeaks(ReleaseCheck):
    """One green line for each format that stays below full scale, one item for all that do not:
    they have one cause and one cure."""

    id = "encoded"
    group = "encoding"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        if facts.encodings is None:
            yield self.item(
                "waiting",
                "Peaks after encoding",
                value="not checked yet",
                why="Listeners hear AAC, Opus or MP3, and encoding raises peaks.",
            )
            return
        peaks = [(e.true_peak_dbtp, e) for e in facts.encodings if e.true_peak_dbtp is not None]
        over = [(peak, e) for peak, e in peaks if peak > FULL_SCALE_DBTP + READING_DB]
        if over:
            yield self._too_high(over)
        for peak, encoded in peaks:
            if (peak, encoded) not in over:
                yield self.item(
                    "ok",
                    encoded.format,
                    value=f"{decibels(peak)} dBTP",
                    id=f"encoded_{encoded.name}",
                )

    def _too_high(self, over: list[tuple[float, EncodedPeak]]) -> ReleaseItem:
        peak, worst = max(over, key=lambda pair: pair[0])
        above = peak - FULL_SCALE_DBTP
        runs = worst.clipped_runs
        cut = f" and clips in {runs:,} place{'' if runs == 1 else 's'}" if runs else ""
        which = "One format goes" if len(over) == 1 else f"{len(over)} formats go"
        return self.item(
            "fail" if above > CLEARLY_OVER_DB else "attention",
            f"{which} over full scale when encoded",
            value=f"up to {decibels(peak)} dBTP",
            why=f"{worst.format}, as used by {worst.used_by}, rises {above:.1f} dB above full scale"
            f"{cut}. Players that do not turn it down first distort.",
            todo=f"Lower the limiter's ceiling, or the whole track, by {above:.1f} dB or more and "
            "check again.",
        )


@register
class MasterPeak(ReleaseCheck):
    id = "true_peak"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        peak, ceiling = facts.evidence.true_peak_dbtp, facts.peak_ceiling_dbtp
        if peak is None:
            return
        over, value = peak - ceiling, f"{decibels(peak)} dBTP"
        if over <= READING_DB:
            yield self.item("ok", "True peak leaves headroom", value=value)
            return
        yield self.item(
            "fail" if peak > FULL_SCALE_DBTP + READING_DB else "attention",
            "True peak is high",
            value=value,
            why=f"Most services ask for {decibels(ceiling)} dBTP at most, so that encoding has "
            "room.",
            todo=f"Set the limiter's ceiling to {decibels(ceiling)} dB in true-peak mode, or lower "
            f"the track by {over:.1f} dB.",
        )


@register
class PlaybackLevel(ReleaseCheck):
    id = "loudness"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        rows, loudness = facts.playback, facts.evidence.integrated_lufs
        if loudness is None or not rows:
            return
        value = f"{decibels(loudness)} LUFS"
        quietest_cut = -max(row.gain_db for row in rows)
        largest_cut = -min(row.gain_db for row in rows)
        if quietest_cut > FAR_FROM_REFERENCE_LU:
            yield self.item(
                "attention",
                "Louder than any service plays it",
                value=value,
                why=f"Every service turns it down, by {quietest_cut:.1f} to {largest_cut:.1f} dB; "
                "the squeeze that made it loud stays.",
                todo="If it pumps or sounds flat beside others, give the limiter less input.",
            )
            return
        left = min(rows, key=lambda row: row.below_db)
        if left.below_db > FAR_FROM_REFERENCE_LU:
            yield self.item(
                "attention",
                "Quieter than services play it",
                value=value,
                why=f"Even {left.service.name} leaves it {left.below_db:.1f} dB below its level: "
                "beside other tracks it sounds small.",
                todo="Unless it is meant, even out the highest peaks and raise the track.",
            )
            return
        yield self.item("ok", "Loudness suits the services", value=value)


@register
class Clipping(ReleaseCheck):
    id = "clipping"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        evidence = facts.evidence
        runs = evidence.clipped_runs
        if not runs:
            yield self.item("ok", "Nothing is clipped", value="0 places")
            return
        per_minute = 60.0 * runs / max(evidence.duration_s, 1.0)
        yield self.item(
            "fail" if per_minute > CLIPPED_RUNS_PER_MINUTE else "attention",
            "The master is clipped",
            value=f"{runs:,} place{'' if runs == 1 else 's'}",
            why="Three or more samples in a row stand at full scale: the wave's top is cut off.",
            todo="Export again with less gain before the master bus.",
        )


@register
class Offset(ReleaseCheck):
    id = "dc_offset"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        offset = max((abs(value) for value in facts.evidence.dc_offset), default=0.0)
        value = f"{100 * offset:.2f} %"
        if offset < DC_OFFSET:
            yield self.item("ok", "The wave is centred", value=value)
            return
        yield self.item(
            "fail" if offset >= LARGE_DC_OFFSET else "attention",
            "The wave is off centre",
            value=value,
            why="A constant offset takes headroom on one side and clicks at every cut.",
            todo="Put a high-pass filter at 10 to 20 Hz on the track that brings it in.",
        )


@register
class Silence(ReleaseCheck):
    id = "silence"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        head, tail = facts.evidence.silence_head_s, facts.evidence.silence_tail_s
        value = f"{head:.1f} s before, {tail:.1f} s after"
        if head <= LONG_HEAD_S and tail <= LONG_TAIL_S:
            yield self.item("ok", "It starts and ends in time", value=value)
            return
        where = "beginning" if head > LONG_HEAD_S else "end"
        yield self.item(
            "attention",
            f"Long silence at the {where}",
            value=value,
            why="Listeners skip a track that does not start, and gaps break playlists.",
            todo=f"Trim it to {LONG_HEAD_S:g} s before and {LONG_TAIL_S:g} s after at most, unless "
            "it is meant.",
        )


@register
class MonoSafety(ReleaseCheck):
    id = "mono"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        evidence = facts.evidence
        if evidence.channels < 2:
            yield self.item("ok", "Plays the same in mono", value="mono file")
            return
        if evidence.correlation is None:  # a side is silent, which the balance tells
            return
        loss = evidence.mono_loss_db
        value = f"{loss:.1f} dB lost in mono"
        if evidence.correlation < LEAST_CORRELATION or loss > LARGEST_MONO_LOSS_DB:
            yield self.item(
                "fail",
                "Left and right cancel each other in mono",
                value=value,
                why="Phones, smart speakers and club systems play mono: part of it disappears.",
                todo="Flip the polarity of one channel of the widest tracks; reduce wideners.",
            )
            return
        yield self.item("ok", "It holds in mono", value=value)


@register
class Balance(ReleaseCheck):
    id = "balance"
    group = "sound"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        evidence = facts.evidence
        if evidence.channels < 2:
            return
        if evidence.balance_db is None:
            yield self.item(
                "fail",
                "One side is silent",
                value="one channel is empty",
                why="All sound comes from one speaker, and half of a headphone stays silent.",
                todo="Check the pan positions and the export: a mono track belongs in a mono file, "
                "or on both channels alike.",
            )
            return
        size = abs(evidence.balance_db)
        side = "right" if evidence.balance_db > 0 else "left"
        value = f"{size:.1f} dB to the {side}" if size >= READING_DB else "even"
        if size < WARNING_BALANCE_DB:
            yield self.item("ok", "Left and right are in balance", value=value)
            return
        yield self.item(
            "attention",
            f"It leans to the {side}",
            value=value,
            why=f"The {side} side is {size:.1f} dB louder over the whole track: voices and bass "
            "leave the middle.",
            todo=f"Move or turn down what sits on the {side}, unless it is meant.",
        )


@register
class Source(ReleaseCheck):
    id = "source"
    group = "file"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        source = facts.source
        rate = f"{source.sample_rate / 1000:g} kHz"
        depth = f"{source.bit_depth} bit{' float' if source.is_float else ''}, "
        value = f"{source.format_name}, {depth if source.bit_depth else ''}{rate}"
        if not source.lossless:
            yield self.item(
                "fail",
                "The file is already lossy",
                value=value,
                why="Services encode what they get: encoding twice makes the losses audible.",
                todo="Upload the WAV, AIFF or FLAC that this file was made from.",
            )
            return
        if source.sample_rate < LEAST_RATE_HZ or (source.bit_depth or 0) < LEAST_BIT_DEPTH:
            yield self.item(
                "fail",
                "The resolution is too low",
                value=value,
                why=f"Shops take {LEAST_BIT_DEPTH} bit and {LEAST_RATE_HZ / 1000:g} kHz or more.",
                todo="Export again at the rate of your session, at best with 24 bit.",
            )
            return
        yield self.item("ok", "Lossless at full resolution", value=value)


@register
class Cutoff(ReleaseCheck):
    """A lossless file that was lossy before."""

    id = "cutoff"
    group = "file"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        source = facts.source
        if not source.lossless or not source.cutoff_known:
            return
        if source.codec_cutoff_hz is None:
            yield self.item("ok", "No trace of earlier encoding")
            return
        yield self.item(
            "attention",
            "It may have been an MP3 before",
            value=f"nothing above {source.codec_cutoff_hz / 1000:.1f} kHz",
            why="The highs end as abruptly as lossy encoders end them.",
            todo="Go back to the session and export without any MP3 or AAC on the way.",
        )
