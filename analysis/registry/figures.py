"""The figures of a version that tell versions apart, taken from what its manifest says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from analysis.registry.models import ModelVersion

_NAMES = {"ears": "labels", "timbre": "tags"}
_MOST = 8
# Top-level figures that say something by themselves, how they are called, and how they are shown.
_KNOWN: dict[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "{:.1%}"),
    "ece_15_bins_cross_fitted": ("Calibration error", "{:.3f}"),
    "average_precision": ("Average precision", "{:.3f}"),
    "mean_average_precision": ("Average precision", "{:.3f}"),
    "f1": ("F1", "{:.3f}"),
    "ece": ("Calibration error", "{:.3f}"),
    "log_loss": ("Log loss", "{:.3f}"),
    "clips": ("Held-out clips", "{:,}"),
    "singers": ("Held-out singers", "{:,}"),
}
# A training on this site's labels counts others under these names: those that it learned from.
_OF_TRAINING = {"clips": "Clips learned from", "singers": "Singers learned from"}


@dataclass(frozen=True)
class Figure:
    """One figure in words."""

    label: str
    value: str


def names_of(version: ModelVersion) -> list[str]:
    """The genres or tags that a version speaks."""
    names = (version.manifest.get("settings") or {}).get(_NAMES.get(version.model, ""), [])
    return [str(name) for name in names] if isinstance(names, list) else []


def figures_of(version: ModelVersion) -> list[Figure]:
    """A few figures, each measured on the version's own held-out data: side by side they only
    compare where the data were the same, which a comparison makes sure of."""
    found = version.manifest.get("figures") or {}
    figures = [*_known(found)]
    tracks = found.get("tracks")
    if isinstance(tracks, dict):
        figures += [
            Figure(f"Tracks, {side}", f"{count:,}")
            for side, count in sorted(tracks.items())
            if isinstance(count, int)
        ]
    labelled = (version.manifest.get("settings") or {}).get("labelled_clips")
    if isinstance(labelled, int):
        figures.append(
            Figure(
                "Labelled clips, with those to stop by"
                if "stopping_clips" in found
                else "Labelled clips learned",
                f"{labelled:,}",
            )
        )
    return figures[:_MOST]


def _known(found: dict[str, Any]) -> Iterable[Figure]:
    for key, (label, shown) in _KNOWN.items():
        value = found.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            whole = isinstance(value, int) or "," not in shown
            if "stopping_clips" in found:
                label = _OF_TRAINING.get(key, label)
            yield Figure(label, shown.format(value if whole else int(value)))
