"""Do the tracks of an album belong together? Loudness, tone, gaps, peaks and formats side by side.

Every track is compared with the album's median, so that one odd track does not move the measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from analysis.mixing.level_checks import HIGHEST_TRUE_PEAK_DBTP
from analysis.mixing.release import READING_DB, STATE_RANK, State, decibels

NOTICEABLE_LU = 1.5
"""Between neighbouring songs a difference of some 1.5 LU is noticed, of 3 LU reached for."""

DISTURBING_LU = 3.0
TONE_DB = 4.0
EVEN_TONE_DB = 0.5
LONG_GAP_S = 5.0
LEAST_TRACKS = 2
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""What musicians call so many channels."""


@dataclass(frozen=True)
class TrackSound:
    """One track of an album as its report has it; None where it has no loudness or peak.

    ``bands`` holds (label, level in dB relative to the whole track) of the seven bands;
    ``key`` is whatever the caller knows the track by.
    """

    key: str
    title: str
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    bands: Sequence[tuple[str, float]]
    sample_rate: int
    bit_depth: int | None
    channels: int
    silence_head_s: float
    silence_tail_s: float


@dataclass(frozen=True)
class BandOffset:
    """A band that stands apart from the album's median, in dB."""

    label: str
    off_db: float


@dataclass(frozen=True)
class AlbumRow:
    """One track beside the others.

    ``off_lu`` is its loudness against the album's median; ``suggested_gain_db`` brings it there,
    upwards only as far as the peak ceiling allows, None where nothing is to be done;
    ``tone`` lists the bands that stand apart, the farthest first; ``gap_s`` is the silence until
    the next track begins, None for the last one (``is_last``) and where the next track has no
    report.
    """

    sound: TrackSound
    off_lu: float | None
    loudness_state: State
    suggested_gain_db: float | None
    tone: list[BandOffset]
    farthest_band: BandOffset | None
    gap_s: float | None
    gap_state: State
    is_last: bool
    peak_state: State

    @property
    def is_even(self) -> bool:
        """Whether no band is even half a decibel away from the album's median."""
        return self.farthest_band is None or abs(self.farthest_band.off_db) < EVEN_TONE_DB


@dataclass(frozen=True)
class AlbumItem:
    """One line of the album's list: what was looked at, in which state, and what to do."""

    id: str
    state: State
    title: str
    text: str = ""


@dataclass(frozen=True)
class AlbumVerdict:
    """The table and the list. ``median_lufs`` is None where no track has a loudness."""

    rows: list[AlbumRow]
    items: list[AlbumItem]
    median_lufs: float | None

    @property
    def state(self) -> State:
        return max((item.state for item in self.items), key=lambda state: STATE_RANK[state])


def check_album(in_order: Sequence[TrackSound | None]) -> AlbumVerdict | None:
    """Compare the tracks of an album in their order, None standing for one without a report; None
    for fewer than two with one."""
    tracks = [track for track in in_order if track is not None]
    if len(tracks) < LEAST_TRACKS:
        return None
    levels = [t.integrated_lufs for t in tracks if t.integrated_lufs is not None]
    median_lufs = round(median(levels), 3) if levels else None
    band_medians = _band_medians(tracks)
    rows = [
        _row(track, in_order[place + 1 :], median_lufs, band_medians)
        for place, track in enumerate(in_order)
        if track is not None
    ]
    items = [_loudness(rows, median_lufs), _tone(rows), _peaks(rows), _gaps(rows), _formats(tracks)]
    return AlbumVerdict(rows=rows, items=items, median_lufs=median_lufs)


def _row(
    track: TrackSound,
    following: Sequence[TrackSound | None],
    median_lufs: float | None,
    band_medians: dict[str, float],
) -> AlbumRow:
    off_lu = None
    if track.integrated_lufs is not None and median_lufs is not None:
        off_lu = round(track.integrated_lufs - median_lufs, 2)
    offsets = sorted(
        (BandOffset(label, round(db - band_medians[label], 1)) for label, db in track.bands),
        key=lambda offset: -abs(offset.off_db),
    )
    neighbour = following[0] if following else None
    gap_s = None if neighbour is None else track.silence_tail_s + neighbour.silence_head_s
    return AlbumRow(
        sound=track,
        off_lu=off_lu,
        loudness_state=_loudness_state(off_lu),
        suggested_gain_db=_suggested_gain_db(track, off_lu),
        tone=[offset for offset in offsets if abs(offset.off_db) > TONE_DB],
        farthest_band=offsets[0] if offsets else None,
        gap_s=None if gap_s is None else round(gap_s, 2),
        gap_state="attention" if gap_s is not None and gap_s > LONG_GAP_S else "ok",
        is_last=not following,
        peak_state=_peak_state(track.true_peak_dbtp),
    )


def _loudness_state(off_lu: float | None) -> State:
    """A quieter track may be the ballad; a much louder one makes listeners reach for the knob."""
    if off_lu is None or abs(off_lu) <= NOTICEABLE_LU:
        return "ok"
    return "fail" if off_lu > DISTURBING_LU else "attention"


def _suggested_gain_db(track: TrackSound, off_lu: float | None) -> float | None:
    if off_lu is None or abs(off_lu) <= NOTICEABLE_LU:
        return None
    gain_db = -off_lu
    if gain_db > 0 and track.true_peak_dbtp is not None:
        gain_db = min(gain_db, max(0.0, HIGHEST_TRUE_PEAK_DBTP - track.true_peak_dbtp))
    return round(gain_db, 1) or None


def _peak_state(true_peak_dbtp: float | None) -> State:
    if true_peak_dbtp is None or true_peak_dbtp <= HIGHEST_TRUE_PEAK_DBTP + READING_DB:
        return "ok"
    return "fail" if true_peak_dbtp > READING_DB else "attention"


def _band_medians(tracks: Sequence[TrackSound]) -> dict[str, float]:
    by_label: dict[str, list[float]] = {}
    for track in tracks:
        for label, level_db in track.bands:
            by_label.setdefault(label, []).append(level_db)
    return {label: median(levels) for label, levels in by_label.items()}


def _worst(states: Sequence[State]) -> State:
    return max(states, key=lambda state: STATE_RANK[state])


def _names(rows: Sequence[AlbumRow]) -> str:
    names = [f"“{row.sound.title}”" for row in rows[:3]]
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    return ", ".join(names) + more


def _loudness(rows: Sequence[AlbumRow], median_lufs: float | None) -> AlbumItem:
    off = [row for row in rows if row.loudness_state != "ok"]
    state = _worst([row.loudness_state for row in rows])
    if not off or median_lufs is None:
        return AlbumItem(
            "loudness", state, "Loudness is even", f"All within {NOTICEABLE_LU} LU of the median."
        )
    return AlbumItem(
        "loudness",
        state,
        "Loudness jumps between tracks",
        f"Away from the album's median of {decibels(median_lufs)} LUFS: {_names(off)}. A quieter "
        "ballad is fine where it is meant; the table suggests a gain for each.",
    )


def _tone(rows: Sequence[AlbumRow]) -> AlbumItem:
    off = [row for row in rows if row.tone]
    if not off:
        return AlbumItem(
            "tone", "ok", "Tone is even", f"Every band within {TONE_DB:g} dB of the album's median."
        )
    return AlbumItem(
        "tone",
        "attention",
        "Some tracks sound brighter or darker than the rest",
        f"{_names(off)}: listen to them right after their neighbours.",
    )


def _peaks(rows: Sequence[AlbumRow]) -> AlbumItem:
    off = [row for row in rows if row.peak_state != "ok"]
    ceiling = f"{decibels(HIGHEST_TRUE_PEAK_DBTP)} dBTP"
    if not off:
        return AlbumItem("peaks", "ok", "True peaks leave headroom", f"All at {ceiling} or below.")
    return AlbumItem(
        "peaks",
        _worst([row.peak_state for row in rows]),
        "True peaks are high",
        f"Above {ceiling}: {_names(off)}. Lower the limiter's ceiling for all tracks alike.",
    )


def _gaps(rows: Sequence[AlbumRow]) -> AlbumItem:
    off = [row for row in rows if row.gap_state != "ok"]
    if not off:
        return AlbumItem(
            "gaps", "ok", "Gaps between tracks", f"None longer than {LONG_GAP_S:g} seconds."
        )
    return AlbumItem(
        "gaps",
        "attention",
        "Long gaps between tracks",
        f"More than {LONG_GAP_S:g} seconds of silence after {_names(off)}.",
    )


def _formats(tracks: Sequence[TrackSound]) -> AlbumItem:
    rates = sorted({track.sample_rate for track in tracks})
    depths = sorted({track.bit_depth for track in tracks if track.bit_depth})
    channels = sorted({track.channels for track in tracks})
    mixed = []
    if len(rates) > 1:
        mixed.append(f"{' and '.join(f'{rate / 1000:g}' for rate in rates)} kHz")
    if len(depths) > 1:
        mixed.append(f"{' and '.join(str(depth) for depth in depths)} bit")
    if len(channels) > 1:
        mixed.append(" and ".join(LAYOUTS.get(count, f"{count} channels") for count in channels))
    if mixed:
        return AlbumItem(
            "formats",
            "attention",
            "The files differ in format",
            f"Side by side: {', '.join(mixed)}. Shops want one format for a whole release.",
        )
    return AlbumItem("formats", "ok", "One format", f"All at {rates[0] / 1000:g} kHz.")
