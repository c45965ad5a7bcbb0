"""What a heat map says, in numbers: shares by band and by section, the hot stretch and range,
and the hottest regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from analysis.sound.mel import COLUMNS_PER_SECOND, N_MELS, mel_edges_hz, mel_frequencies_hz

Heat = npt.NDArray[np.float32]

# The seven bands of the product, as far as the mel picture reaches (11,025 Hz).
BANDS_HZ: tuple[tuple[str, float, float], ...] = (
    ("sub-bass", 20, 60),
    ("bass", 60, 250),
    ("low mids", 250, 500),
    ("mids", 500, 2_000),
    ("high mids", 2_000, 4_000),
    ("presence", 4_000, 6_000),
    ("brilliance", 6_000, 11_025),
)
LOWEST_HZ = 20.0
MOST_REGIONS = 5

# "Most" of the heat of a stretch: the range that is named holds this much of it.
_MOST = 0.6
# A section belongs to the hot stretch if it holds this many times its even share.
_HOT_LIFT = 1.1
# A region reaches down to this part of its peak, in the map smoothed by a third of a cell upwards
# and, sideways, by a hundredth of the track (within limits, in columns).
_REGION_EDGE = 0.5
_SMOOTH_BANDS = 3.0
_SMOOTH_COLUMNS = (3.0, 20.0)
# It lasts at least 2 s and at most an eighth of the track, that being 12 to 24 s.
_SHORTEST_REGION_S = 2.0
_LONGEST_REGION_S = (12.0, 24.0)
_LEAST_REGION_SHARE = 0.01


@dataclass(frozen=True)
class BandShare:
    """One band's share of the heat, and how many times an even map's share that is."""

    name: str
    low_hz: float
    high_hz: float
    share: float
    lift: float


@dataclass(frozen=True)
class SectionShare:
    """One stretch's share of the heat, and how many times an even map's share that is."""

    start_s: float
    end_s: float
    share: float
    lift: float


@dataclass(frozen=True)
class Attention:
    """Where the model looked. Shares are of the whole map's heat.

    The hot stretch is ``start_s`` to ``end_s``, one or several ``sections``, and holds
    ``section_share``. Within it, ``low_hz`` to ``high_hz`` is the narrowest range of mel bands with
    60 % of its heat. ``band`` is the band with most heat for its size, ``emphasis`` its lift;
    ``band_shares`` repeats the shares of ``bands`` by name.
    """

    band_shares: dict[str, float]
    band: str
    low_hz: float
    high_hz: float
    emphasis: float
    start_s: float
    end_s: float
    section_share: float
    bands: list[BandShare]
    sections: list[SectionShare]


@dataclass(frozen=True)
class Region:
    """A connected hot place: its rectangle, and the share of all heat inside."""

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float
    share: float


@cache
def row_edges_hz() -> npt.NDArray[np.float64]:
    """Borders (129,) in Hz between the rows of a mel picture: half-way between the bands' centres
    on the mel scale."""
    return np.interp(np.arange(N_MELS + 1) + 0.5, np.arange(N_MELS + 2), mel_edges_hz())


def attention(heat: Heat, sections: Sequence[tuple[int, int]] | None = None) -> Attention | None:
    """Summarise a heat map (128, T); None if it is empty (the class had no evidence at all).

    ``sections`` are columns (first, last + 1) that cover the track, see
    :func:`analysis.sound.sections.sections`; without them the track is one section.
    """
    total = float(heat.sum())
    if total <= 0:
        return None
    bands = _band_shares(heat, total)
    # The band that says most: much heat for its size, but not a sliver of all heat.
    band = max(bands, key=lambda one: one.lift * (one.share >= 0.05))
    spans = list(sections or [(0, heat.shape[1])])
    shares = [float(heat[:, start:end].sum()) / total for start, end in spans]
    even = [(end - start) / heat.shape[1] for start, end in spans]
    first, last = _hot_run(shares, even)
    start, end = spans[first][0], spans[last][1]
    low, high = _narrowest(heat[:, start:end].sum(axis=1), share=_MOST)
    return Attention(
        band_shares={one.name: one.share for one in bands},
        band=band.name,
        low_hz=_row_hz(low),
        high_hz=_row_hz(high),
        emphasis=band.lift,
        start_s=start / COLUMNS_PER_SECOND,
        end_s=end / COLUMNS_PER_SECOND,
        section_share=sum(shares[first : last + 1]),
        bands=bands,
        sections=[
            SectionShare(
                start_s=start / COLUMNS_PER_SECOND,
                end_s=end / COLUMNS_PER_SECOND,
                share=share,
                lift=share / fair,
            )
            for (start, end), share, fair in zip(spans, shares, even, strict=True)
        ],
    )


def regions(heat: Heat, *, most: int = MOST_REGIONS) -> list[Region]:
    """The hottest connected places of a heat map (128, T), those with most heat first.

    From the hottest cell downwards: what is connected with it, at least half as hot and within a
    few seconds makes a region, and is then out of the game. Regions never share a cell. They last
    2 to 12 s (up to 24 s in a long track), so that each can be listened to in a loop.
    """
    # Web processes write sentences too, and need none of this.
    from scipy import ndimage

    total = float(heat.sum())
    if total <= 0:
        return []
    sideways = float(np.clip(heat.shape[1] / 100, *_SMOOTH_COLUMNS))
    smooth = ndimage.gaussian_filter(heat, (_SMOOTH_BANDS, sideways), mode="nearest")
    left = heat.astype(np.float64)
    found: list[Region] = []
    for _ in range(3 * most):
        peak = int(smooth.argmax())
        if smooth.flat[peak] <= 0:
            break
        rows, columns = _grow(smooth, *divmod(peak, heat.shape[1]))
        share = float(left[rows, columns].sum()) / total
        left[rows, columns] = 0.0
        smooth[rows, columns] = 0.0
        if share >= _LEAST_REGION_SHARE:
            found.append(
                Region(
                    start_s=columns.start / COLUMNS_PER_SECOND,
                    end_s=columns.stop / COLUMNS_PER_SECOND,
                    low_hz=_row_hz(rows.start),
                    high_hz=_row_hz(rows.stop),
                    share=share,
                )
            )
    return sorted(found, key=lambda region: -region.share)[:most]


def _band_shares(heat: Heat, total: float) -> list[BandShare]:
    frequencies = mel_frequencies_hz()
    rows = heat.sum(axis=1)
    shares = []
    for name, low, high in BANDS_HZ:
        inside = (frequencies >= low) & (frequencies < high)
        share = float(rows[inside].sum()) / total
        shares.append(BandShare(name, low, high, share, share / float(inside.mean())))
    return shares


def _hot_run(shares: list[float], even: list[float]) -> tuple[int, int]:
    """First and last of the neighbouring sections that hold most heat beyond their fair share;
    all of them if none stands out (Kadane's maximum-sum run)."""
    best, run, begin = 0.0, 0.0, 0
    first, last = 0, len(shares) - 1
    for index, (share, fair) in enumerate(zip(shares, even, strict=True)):
        if run <= 0:
            run, begin = 0.0, index
        run += share - _HOT_LIFT * fair
        if run > best:
            best, first, last = run, begin, index
    return first, last


def _narrowest(rows: npt.NDArray[np.float32], *, share: float) -> tuple[int, int]:
    """The shortest run (first, last + 1) of rows that holds ``share`` of their sum; of several,
    the one with most."""
    sums = np.concatenate([[0.0], np.cumsum(rows, dtype=np.float64)])
    wanted = share * sums[-1] * (1 - 1e-9)
    for length in range(1, rows.size + 1):
        inside = sums[length:] - sums[:-length]
        start = int(inside.argmax())
        if inside[start] >= wanted:
            return start, start + length
    return 0, int(rows.size)


def _grow(smooth: npt.NDArray[np.float32], row: int, column: int) -> tuple[slice, slice]:
    """Rectangle around what is connected with a peak and at least half as hot."""
    from scipy import ndimage

    n_columns = smooth.shape[1]
    shortest = round(_SHORTEST_REGION_S * COLUMNS_PER_SECOND)
    least, most = _LONGEST_REGION_S
    longest = round(
        float(np.clip(n_columns / 8, least * COLUMNS_PER_SECOND, most * COLUMNS_PER_SECOND))
    )
    begin = max(0, column - longest // 2)
    near = smooth[:, begin : column + longest // 2]
    labels, _ = ndimage.label(near >= _REGION_EDGE * smooth[row, column])
    rows, columns = ndimage.find_objects(labels)[labels[row, column - begin] - 1]
    start, stop = begin + columns.start, begin + columns.stop
    missing = max(0, shortest - (stop - start))
    start = max(0, min(start - missing // 2, n_columns - shortest))
    stop = min(n_columns, max(stop, start + shortest))
    return rows, slice(start, stop)


def _row_hz(edge: int) -> float:
    return max(LOWEST_HZ, float(row_edges_hz()[edge]))
