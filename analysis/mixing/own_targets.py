"""Targets of an artist's own: chosen tracks, references, or a corridor from a file.

A genre's corridor is where finished tracks of many artists lie, several decibels wide. Who names
the very tracks that a mix should sound like wants a narrower one: as wide as those tracks differ
from each other, and never narrower than what ears forgive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.mixing.evidence import Evidence
from analysis.mixing.targets import Corridor, Curve, GenreTarget, Targets, alignment_db
from analysis.mixing.tonal import unjudged_because
from analysis.mixing.tonal_moves import Reach, level_free, move_library
from analysis.sound.balance import curve_frequencies_hz
from analysis.sound.spectrum import BANDS

FORMAT = "sonic-vision-mix-target-1"
TOLERANCE_DB = 1.5
"""Half the width of a corridor of one track. Differences of broad equaliser moves are just heard
at about 1 dB (Toole & Olive, "The modification of timbre by resonances", JAES 36, 1988)."""

_HIGHEST_LEVEL_DB = 100.0
_LONGEST_NAME = 60

Array = npt.NDArray[np.float64]


class UnusableTarget(ValueError):
    """A target that cannot be made; the message is for the artist."""


@dataclass(frozen=True)
class ReferenceTrack:
    """What a target takes of a track's report: third octaves (24) and levels of the seven bands,
    both in dB relative to the whole, and how much it counts."""

    curve_db: Sequence[float]
    bands_db: Sequence[float]
    weight: float = 1.0

    @classmethod
    def of_document(cls, document: Mapping[str, Any], *, weight: float = 1.0) -> ReferenceTrack:
        """From a stored report.

        Raises UnusableTarget for a report that was made before curves were kept, and for one of a
        mix whose tone cannot be judged.
        """
        why = unjudged_because(Evidence.from_document(document))
        if why is not None:
            raise UnusableTarget(why.reason)
        curve = document["mix"].get("curve")
        if not curve:
            raise UnusableTarget("A chosen track's report is too old; listen to it again first.")
        return cls(
            curve_db=curve["measured_db"],
            bands_db=[band["measured_db"] for band in document["mix"]["bands"]],
            weight=weight,
        )


def target_of_tracks(
    name: str, tracks: Sequence[ReferenceTrack], *, targets: Targets
) -> GenreTarget:
    """A target from one or several tracks.

    Raises UnusableTarget where there is none, or none that counts.
    """
    weights = np.array([track.weight for track in tracks], dtype=np.float64)
    if not len(tracks) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise UnusableTarget("Choose at least one track.")
    if weights.sum() <= 0:
        raise UnusableTarget("Give at least one track a weight above zero.")
    curves, middle = _aligned(np.array([track.curve_db for track in tracks]), weights)
    bands, band_middle = _aligned(np.array([track.bands_db for track in tracks]), weights)
    sizes = targets.plain.sizes_db(curves - middle)
    reach_low, reach_high = _corridor(sizes, weights, np.zeros(sizes.shape[1]))
    low, high = _corridor(curves, weights, middle)
    band_low, band_high = _corridor(bands, weights, band_middle)
    return GenreTarget(
        genre=name,
        n_tracks=int((weights > 0).sum()),
        bands=[
            Corridor(
                name=band.name,
                low_hz=band.low_hz,
                high_hz=band.high_hz,
                p10_db=round(float(band_low[at]), 2),
                median_db=round(float(band_middle[at]), 2),
                p90_db=round(float(band_high[at]), 2),
            )
            for at, band in enumerate(next(iter(targets.genres.values())).bands)
        ],
        curve=Curve(
            frequencies_hz=[round(float(hz), 1) for hz in targets.tonal.frequencies_hz],
            p10_db=_rounded(low),
            median_db=_rounded(middle),
            p90_db=_rounded(high),
            measured_up_to_hz=next(iter(targets.genres.values())).curve.measured_up_to_hz,
        ),
        moves=Reach(p10_db=_rounded(reach_low), p90_db=_rounded(reach_high)),
        is_own=True,
    )


def to_document(target: GenreTarget) -> dict[str, Any]:
    """A target as JSON-able data, for :func:`from_document`."""
    return {"format": FORMAT, **asdict(target)}


def from_document(document: Any, *, targets: Targets) -> GenreTarget:
    """A target from JSON that :func:`to_document` made, or that somebody wrote by hand.

    Raises UnusableTarget, which says what is wrong; nothing of such a file is trusted.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise UnusableTarget(f"This is not a mix target: its “format” is not “{FORMAT}”.")
    name = document.get("genre")
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        raise UnusableTarget(f"“genre” must be a name of at most {_LONGEST_NAME} letters.")
    known = next(iter(targets.genres.values()))
    bands = document.get("bands")
    if not isinstance(bands, list) or [_named(band) for band in bands] != [b[0] for b in BANDS]:
        raise UnusableTarget(f"“bands” must be {', '.join(b[0] for b in BANDS)}, in this order.")
    curve = document.get("curve")
    moves = document.get("moves")
    if not isinstance(curve, Mapping) or not isinstance(moves, Mapping):
        raise UnusableTarget("“curve” and “moves” are missing.")
    points = targets.tonal.frequencies_hz.size
    p10, median, p90 = (
        _levels(curve.get(key), f"curve.{key}", points) for key in ("p10_db", "median_db", "p90_db")
    )
    n_moves = len(move_library())
    low = _levels(moves.get("p10_db"), "moves.p10_db", n_moves)
    high = _levels(moves.get("p90_db"), "moves.p90_db", n_moves)
    corridors = [
        Corridor(
            name=corridor.name,
            low_hz=corridor.low_hz,
            high_hz=corridor.high_hz,
            **{key: _level(band.get(key), key) for key in ("p10_db", "median_db", "p90_db")},
        )
        for corridor, band in zip(known.bands, bands, strict=True)
    ]
    _ordered([c.p10_db for c in corridors], [c.median_db for c in corridors], "bands")
    _ordered([c.median_db for c in corridors], [c.p90_db for c in corridors], "bands")
    _ordered(p10, median, "curve")
    _ordered(median, p90, "curve")
    _ordered(low, high, "moves")
    n_tracks = document.get("n_tracks")
    return GenreTarget(
        genre=name.strip(),
        n_tracks=n_tracks if type(n_tracks) is int and 0 < n_tracks < 1_000_000 else 1,
        bands=corridors,
        curve=Curve(
            frequencies_hz=[round(float(hz), 1) for hz in curve_frequencies_hz()[:points]],
            p10_db=p10,
            median_db=median,
            p90_db=p90,
            measured_up_to_hz=known.curve.measured_up_to_hz,
        ),
        moves=Reach(p10_db=low, p90_db=high),
        is_own=True,
    )


def _aligned(levels: Array, weights: Array) -> tuple[Array, Array]:
    """Rows (tracks, n) laid over their weighted mean, and that mean (n,)."""
    middle = np.average(level_free(levels), axis=0, weights=weights)
    offsets = np.array([alignment_db(list(row), list(middle)) for row in levels])
    aligned = levels - offsets[:, None]
    return aligned, np.average(aligned, axis=0, weights=weights)


def _corridor(values: Array, weights: Array, middle: Array) -> tuple[Array, Array]:
    """Weighted 10th and 90th percentile of (tracks, n), at least the tolerance off the middle."""
    low, high = (
        np.array([_weighted_quantile(column, weights, share) for column in values.T])
        for share in (0.1, 0.9)
    )
    return np.minimum(low, middle - TOLERANCE_DB), np.maximum(high, middle + TOLERANCE_DB)


def _weighted_quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values)
    heaped = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(share * weights.sum(), heaped, values[order]))


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 2) for value in values]


def _named(band: Any) -> Any:
    return band.get("name") if isinstance(band, Mapping) else None


def _level(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableTarget(f"“{what}” must be numbers of decibels.")
    if not -_HIGHEST_LEVEL_DB <= value <= _HIGHEST_LEVEL_DB:  # so is NaN, which is never within
        raise UnusableTarget(f"“{what}” has a level beyond ±{_HIGHEST_LEVEL_DB:g} dB.")
    return float(value)


def _levels(values: Any, what: str, count: int) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise UnusableTarget(f"“{what}” must hold {count} numbers.")
    return [_level(value, what) for value in values]


def _ordered(low: Sequence[float], high: Sequence[float], what: str) -> None:
    if any(a > b for a, b in zip(low, high, strict=True)):
        raise UnusableTarget(f"In “{what}”, a lower level stands above a higher one.")
