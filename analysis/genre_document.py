"""The genre's part of a report's document: answers, and what explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis import pictures
from analysis.neural.attention import attention, regions
from analysis.neural.ears import Ears, Explanation, HeardTrack
from analysis.neural.explain import sentence
from analysis.neural.stem_attention import stem_attention
from analysis.neural.verdict import is_decided, is_familiar
from analysis.sound.measure import SoundMeasurements


def genre_part(
    heard: HeardTrack, sections: Sequence[tuple[int, int]], *, duration_s: float
) -> dict[str, Any]:
    """The keys of ``genre`` (docs/analyze.md); ``sections`` are columns of the mel picture."""
    familiar = is_familiar(heard.familiarity)
    decided = is_decided(heard.confidence, heard.familiarity)
    explanations = [
        _explanation(
            one,
            sections,
            duration_s,
            familiar,
            decided,
            runner_up=number > 0,
            seen=one.label == heard.trunk_label,
        )
        for number, one in enumerate(heard.explanations)
    ]
    return {
        "label": heard.label,
        "probabilities": {n: round(p, 5) for n, p in heard.probabilities.items()},
        "confidence": round(heard.confidence, 5),
        "familiarity": round(heard.familiarity, 4),
        "familiar": familiar,
        "decided": decided,
        "course": [
            {
                "start_s": round(part.start_s, 2),
                "end_s": round(part.end_s, 2),
                "label": part.label,
                "confidence": round(part.confidence, 4),
            }
            for part in heard.course
        ],
        "attention": explanations[0]["attention"],
        "sentence": explanations[0]["sentence"],
        "explanations": explanations,
    }


def heat_pictures(heard: HeardTrack) -> dict[str, bytes]:
    """Heat maps by file name, in the order of the explanations."""
    return {
        name: pictures.heat_png(one.heat)
        for name, one in zip(pictures.HEAT_FILES, heard.explanations, strict=False)
    }


def stems_part(
    ears: Ears, measured: SoundMeasurements, stems: Mapping[str, npt.NDArray[np.float32]]
) -> dict[str, Any]:
    """``genre.stems``: the model's answer with each of the stems switched off.

    Raises ValueError, in words for people, if they are not of this mix.
    """
    found = stem_attention(ears, measured.mono_22k, stems)
    part: dict[str, Any] = rounded(asdict(found))
    return part


def _explanation(
    one: Explanation,
    sections: Sequence[tuple[int, int]],
    duration_s: float,
    familiar: bool,
    decided: bool,
    *,
    runner_up: bool,
    seen: bool,
) -> dict[str, Any]:
    found = attention(one.heat, sections)
    part = {
        "label": one.label,
        "probability": one.probability,
        "attention": asdict(found) if found else None,
        "sentence": sentence(
            one.label,
            found,
            familiar=familiar,
            decided=decided,
            runner_up=runner_up,
            seen=seen,
        ),
        "regions": [asdict(region) for region in regions(one.heat)],
    }
    short: dict[str, Any] = rounded(part, latest_s=duration_s)
    return short


def rounded(value: Any, *, latest_s: float = float("inf"), key: str = "") -> Any:
    """Floats as short as they are exact: shares to 4 decimals, seconds to 2, hertz to 1.

    The last column of a picture reaches a little beyond the sound: times end at ``latest_s``.
    """
    if isinstance(value, dict):
        return {
            name: rounded(part, latest_s=latest_s, key=str(name)) for name, part in value.items()
        }
    if isinstance(value, list):
        return [rounded(part, latest_s=latest_s, key=key) for part in value]
    if not isinstance(value, float):
        return value
    if key.endswith("_s"):
        return round(min(value, latest_s), 2)
    return round(value, 1 if key.endswith("_hz") else 4)
