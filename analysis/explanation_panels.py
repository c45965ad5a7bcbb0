"""A report's explanations as its page draws them: places in per cent, 0 % is left and top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.pictures import HEAT_FILES, mel_height


@dataclass(frozen=True)
class RegionBox:
    """A hot region: what it is, and its rectangle on the spectrogram in per cent."""

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float
    share: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class SectionBar:
    """A stretch of the track; ``height`` is its lift, the highest one's being 100."""

    start_s: float
    end_s: float
    share: float
    lift: float
    x: float
    width: float
    height: float


@dataclass(frozen=True)
class BandBar:
    """A band's share of the attention; ``length`` and ``even``, the share that an even map would
    give it, are in per cent of the longest of all."""

    name: str
    low_hz: float
    high_hz: float
    share: float
    lift: float
    length: float
    even: float


@dataclass(frozen=True)
class Panel:
    """The explanation of one genre; reports made before there were several have no more than a
    picture and a sentence."""

    label: str
    probability: float | None
    sentence: str
    picture_url: str | None
    regions: list[RegionBox]
    sections: list[SectionBar]
    bands: list[BandBar]


def panels(genre: Mapping[str, Any], *, duration_s: float, files: Mapping[str, str]) -> list[Panel]:
    """Panels of a document's ``genre``, best first; ``files`` are addresses of derived files."""
    explanations = genre.get("explanations") or [
        {
            "label": genre["label"],
            "probability": genre.get("confidence"),
            "sentence": genre.get("sentence", ""),
        }
    ]
    return [
        _panel(one, duration_s, files.get(name))
        for one, name in zip(explanations, HEAT_FILES, strict=False)
    ]


def _panel(one: Mapping[str, Any], duration_s: float, picture_url: str | None) -> Panel:
    attention = one.get("attention") or {}
    return Panel(
        label=one["label"],
        probability=one["probability"],
        sentence=one["sentence"],
        picture_url=picture_url,
        regions=[_region(region, duration_s) for region in one.get("regions", [])],
        sections=_sections(attention.get("sections", []), duration_s),
        bands=_bands(attention.get("bands", [])),
    )


def _region(region: Mapping[str, float], duration_s: float) -> RegionBox:
    top, bottom = mel_height(region["high_hz"]), mel_height(region["low_hz"])
    return RegionBox(
        **region,
        x=100 * region["start_s"] / duration_s,
        y=100 * (1 - top),
        width=100 * (region["end_s"] - region["start_s"]) / duration_s,
        height=100 * (top - bottom),
    )


def _sections(sections: Sequence[Mapping[str, float]], duration_s: float) -> list[SectionBar]:
    highest = max((section["lift"] for section in sections), default=0.0) or 1.0
    return [
        SectionBar(
            **section,
            x=100 * section["start_s"] / duration_s,
            width=100 * (section["end_s"] - section["start_s"]) / duration_s,
            height=100 * section["lift"] / highest,
        )
        for section in sections
    ]


def _bands(bands: Sequence[Mapping[str, Any]]) -> list[BandBar]:
    even = [mel_height(band["high_hz"]) - mel_height(band["low_hz"]) for band in bands]
    longest = max((*even, *(band["share"] for band in bands)), default=1.0)
    return [
        BandBar(**band, length=100 * band["share"] / longest, even=min(100 * fair / longest, 99.5))
        for band, fair in zip(bands, even, strict=True)
    ]


@dataclass(frozen=True)
class StemCell:
    """A genre's probability without a stem, and the fall from that of the whole mix."""

    without: float
    drop: float


@dataclass(frozen=True)
class StemTable:
    """Stems as rows, genres (label, probability of the whole mix) as columns."""

    genres: list[tuple[str, float]]
    rows: list[tuple[str, list[StemCell]]]
    sentence: str


def stem_table(genre: Mapping[str, Any]) -> StemTable | None:
    """The table of a document's ``genre.stems``; None for a report without stems."""
    found = (genre.get("stems") or {}).get("genres")
    if not found:
        return None
    effects = [{stem["name"]: stem for stem in one["stems"]} for one in found]
    return StemTable(
        genres=[(one["label"], one["probability"]) for one in found],
        rows=[
            (name, [StemCell(by[name]["without"], by[name]["drop"]) for by in effects])
            for name in effects[0]
        ],
        sentence=found[0]["sentence"],
    )
