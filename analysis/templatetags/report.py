"""Filters and tags of the report's templates: numbers as people read them, and charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from analysis import charts, playback
from analysis.mixing import ANY_GENRE, load_targets
from analysis.mixing.streaming import Playback
from analysis.neural import explain
from analysis.stereo_chart import CorrelationChart
from analysis.stereo_chart import correlation_chart as correlation_strip
from analysis.tone_chart import ToneChart
from analysis.tone_chart import tone_chart as tone_curve
from analysis.voice_gauge import VoiceGauge, voice_gauge

register = template.Library()

NOTHING = "–"


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


@register.filter
def number(value: object, decimals: int = 1) -> str:
    """A number with a true minus sign; an en dash where there is none."""
    amount = _finite(value)
    if amount is None:
        return NOTHING
    text = f"{amount:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


@register.filter
def nearness(percentile: float) -> str:
    """How near a hit is among all pairs, of which it is nearer than ``percentile`` (0 to 100) per
    cent; most pairs are told from that end which says more."""
    if percentile >= 50:
        return f"Closer than {number(percentile)} %"
    return f"Farther than {number(min(99.9, 100 - percentile))} %"


@register.filter
def signed(value: object, decimals: int = 1) -> str:
    """A number that always carries its sign."""
    amount = _finite(value)
    return NOTHING if amount is None else charts.signed(amount, decimals)


@register.filter
def magnitude(value: object, decimals: int = 1) -> str:
    """A number without its sign."""
    amount = _finite(value)
    return NOTHING if amount is None else f"{abs(amount):.{decimals}f}"


@register.filter
def percent(value: object) -> str:
    """A share between 0 and 1 as whole per cent, without the sign."""
    amount = _finite(value)
    return NOTHING if amount is None else f"{100 * amount:.0f}"


@register.filter
def from_top(fraction: object) -> str:
    """A height between 0 (bottom) and 1 (top) as per cent from the top."""
    return f"{100 * (1 - (_finite(fraction) or 0.0)):.2f}%"


@register.filter
def from_top_percent(height: float) -> str:
    """A height in per cent (0 bottom, 100 top) as per cent from the top."""
    return from_top(height / 100)


@register.filter
def points_off(drop: object) -> str:
    """A fall of a share between 0 and 1 as a change in points: ``−47``, ``+3``."""
    amount = _finite(drop)
    return NOTHING if amount is None else signed(-100 * amount, 0)


@register.filter
def spaced(ticks: Sequence[Mapping[str, float]], distance: float) -> list[Mapping[str, float]]:
    """Axis marks from the top down, none closer than ``distance`` to the one kept before."""
    kept: list[Mapping[str, float]] = []
    for tick in sorted(ticks or [], key=lambda tick: -tick["fraction"]):
        if not kept or kept[-1]["fraction"] - tick["fraction"] >= distance:
            kept.append(tick)
    return kept


@register.filter
def hertz(value: object) -> str:
    """A frequency with its unit: ``250 Hz``, ``2.5 kHz``."""
    amount = _finite(value)
    if amount is None:
        return NOTHING
    return f"{amount / 1000:.3g} kHz" if amount >= 1000 else f"{amount:.0f} Hz"


@register.filter
def hertz_short(value: object) -> str:
    """A frequency for a narrow axis: ``250``, ``2.5k``."""
    amount = _finite(value)
    if amount is None:
        return NOTHING
    return f"{amount / 1000:.3g}k" if amount >= 1000 else f"{amount:.0f}"


@register.filter
def hertz_range(region: Any) -> str:
    """Where something with ``low_hz`` and ``high_hz`` lies: ``40–90 Hz``."""
    return explain.hertz_range(region.low_hz, region.high_hz)


@register.filter
def clock(value: object) -> str:
    """Seconds as ``m:ss``."""
    return charts.clock(_finite(value))


@register.filter
def moment(seconds: float) -> str:
    """A place in a track, to the nearest second, as sentences name it."""
    return explain.clock(seconds)


@register.filter
def tonic(value: str | None) -> str:
    """``C#`` and ``Bb`` with their musical signs; an en dash where no pitch was heard."""
    return value.replace("#", "♯").replace("b", "♭") if value else NOTHING


@register.filter
def clarity(confidence: object) -> str:
    """A confidence between 0 and 1 that is no probability, in words."""
    amount = _finite(confidence)
    if amount is None:
        return "unclear"
    return "clear" if amount >= 0.6 else "fairly clear" if amount >= 0.3 else "unclear"


@register.filter
def tonic_of_key(key: str) -> str:
    """A key such as ``F# minor`` with its musical sign."""
    name, _, mode = key.partition(" ")
    return f"{tonic(name)} {mode}".strip() if name else ""


@register.filter
def filter_shape(shape: str) -> str:
    """An equaliser's shape in words: ``low_shelf`` becomes ``Low shelf``."""
    return shape.replace("_", " ").capitalize()


@register.filter
def earlier(seconds: float, by_s: float) -> float:
    """A time so much earlier, but not before the beginning."""
    return max(0.0, seconds - by_s)


@register.filter
def add_width(left: float, width: float) -> float:
    """Right edge of something from its left edge and width, in per cent."""
    return left + width


@register.filter
def format_name(codec: str, container: str) -> str:
    """A file's format as musicians call it: ``WAV`` for PCM in WAV, else the codec's name."""
    if codec.startswith("pcm_"):
        return container.split(",")[0].upper()
    return {"opus": "Opus", "vorbis": "Ogg Vorbis"}.get(codec, codec.upper())


@register.filter
def channel_layout(value: object) -> str:
    """A count of channels in words."""
    return {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(
        value if isinstance(value, int) else 0, f"{value} channels"
    )


@register.filter
def ranked(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """Names and probabilities, the likeliest first."""
    return sorted((probabilities or {}).items(), key=lambda item: (-item[1], item[0]))


@register.filter
def unmeasured_genre(document: Mapping[str, Any]) -> str:
    """The genre that was heard, where the mix is judged against all genres because no balance was
    measured for that one; else empty."""
    genre = document.get("genre", {})
    if not genre.get("decided") or document["mix"]["genre"] != ANY_GENRE:
        return ""
    label: str = genre["label"]
    return label if load_targets().find(label) is None else ""


@register.simple_tag
def time_ticks(duration_s: float | None) -> list[charts.Tick]:
    return charts.time_ticks(duration_s)


@register.simple_tag
def genre_strip(course: Sequence[Mapping[str, Any]], duration_s: float) -> list[charts.Stretch]:
    return charts.genre_strip(course or [], duration_s=duration_s)


@register.simple_tag
def tonal_chart(bands: Sequence[Mapping[str, Any]]) -> charts.TonalChart:
    return charts.tonal_chart(bands or [])


@register.simple_tag
def tone_chart(document: Mapping[str, Any]) -> ToneChart | None:
    return tone_curve(document["mix"], document.get("spectrum"))


@register.simple_tag
def correlation_chart(document: Mapping[str, Any]) -> CorrelationChart | None:
    return correlation_strip(
        document["stereo"].get("correlation_curve") or [],
        duration_s=document["file"]["duration_s"],
    )


@register.simple_tag
def loudness_chart(loudness: Mapping[str, Any]) -> charts.LoudnessChart | None:
    return charts.loudness_chart(
        loudness.get("short_term_lufs") or [],
        integrated_lufs=loudness.get("integrated_lufs"),
        momentary_lufs=loudness.get("momentary_lufs") or [],
    )


@register.simple_tag
def services(loudness: Mapping[str, Any]) -> list[Playback]:
    integrated = loudness.get("integrated_lufs")
    if integrated is None:
        return []
    return playback.playback(integrated, true_peak_dbtp=loudness.get("true_peak_dbtp"))


@register.filter
def services_as_of(rows: Sequence[Playback]) -> str:
    """When the figures of these services were read, in words."""
    return playback.as_of([row.service for row in rows])


@register.simple_tag
def voice_scale(document: Mapping[str, Any]) -> VoiceGauge | None:
    """The gauge of the voice's balance; None where no voice was measured."""
    return voice_gauge((document.get("mix") or {}).get("vocals"))
