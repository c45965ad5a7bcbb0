"""From a voice to its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from analysis.neural.timbre.model import HeardClip, Timbre, load, step_times_s
from analysis.neural.timbre.network import STEPS_PER_SECOND
from analysis.neural.timbre.report import Moment, Segment, Tag, VoiceReport, evidence_of
from analysis.sound.voice.clips import Clip, Clips, cut
from analysis.sound.voice.measures import NAMES, measure

MOST_CLIPS = 48
SILENT = "No singing was found: the recording is silent."
UNVOICED = "No singing was found: nothing in it has the pitch of a voice for a second or longer."
FAINT = (
    "No singing was found: what the separation left in the vocal stem is far quieter than the "
    "music around it."
)

_MOMENT_S = 0.4
_LEAST_ABOVE = 0.1  # a moment stands out by this much over the clip
_LEAST_PROBABILITY = 0.5
_MOST_MOMENTS = 3

Progress = Callable[[float], None]


def analyze(
    vocals: tuple[npt.NDArray[np.floating], int],
    accompaniment: npt.NDArray[np.floating] | None = None,
    *,
    model: Timbre | None = None,
    most_clips: int = MOST_CLIPS,
    progress: Progress | None = None,
) -> VoiceReport:
    """Judge a voice: samples, mono (n,) or (channels, n), and their rate in Hz.

    ``accompaniment`` is the rest of the mix at the same rate and length; with it, clips in which
    the voice is far quieter are left out. ``progress`` is told the share that is done. Of a long
    recording ``most_clips`` clips are judged, spread evenly.

    Raises ValueError for sound of another shape, WeightsUnavailable.
    """
    samples, rate = vocals
    voice = _mono(samples)
    rest = None if accompaniment is None else _mono(accompaniment)
    if rest is not None and rest.shape != voice.shape:
        raise ValueError(f"voice and accompaniment differ in length: {voice.size}, {rest.size}")
    timbre = model or load()
    clips = cut(voice, rate, accompaniment=rest, most=most_clips)
    if progress:
        progress(0.2)
    segments, heard = [], []
    for number, clip in enumerate(clips.kept, start=1):
        answer = timbre.hear(clip.samples)
        segments.append(_segment(timbre, clip, answer))
        heard.append(answer)
        if progress:
            progress(0.2 + 0.8 * number / len(clips.kept))
    return _report(timbre, clips, segments, heard, silent=not np.any(voice))


def _report(
    timbre: Timbre,
    clips: Clips,
    segments: Sequence[Segment],
    heard: Sequence[HeardClip],
    *,
    silent: bool,
) -> VoiceReport:
    reason = None
    if not segments:
        reason = SILENT if silent else FAINT if clips.faint else UNVOICED
    tags = {}
    evidence = {}
    if segments:
        answers = np.stack([answer.probabilities for answer in heard])
        mean = timbre.mean_of(heard)
        low, high = np.percentile(answers, [10.0, 90.0], axis=0)
        for column, name in enumerate(timbre.tags):
            speaks = timbre.formulas.get(name, {})
            tags[name] = Tag(
                probability=float(mean[column]),
                low=float(low[column]),
                high=float(high[column]),
                speaks={measure: 1 if weight > 0 else -1 for measure, weight in speaks.items()},
            )
        typical = {
            name: median(values) if (values := _present(segments, name)) else None for name in NAMES
        }
        evidence = evidence_of(typical, timbre.reference.percentile)
    return VoiceReport(
        model=timbre.weights.identity,
        duration_s=clips.duration_s,
        tags=tags,
        evidence=evidence,
        segments=tuple(segments),
        reason=reason,
        faint_clips=clips.faint,
        clips_left_out=clips.left_out,
        reference_clips=timbre.reference.clips,
        reference_singers=timbre.reference.singers,
    )


def _present(segments: Sequence[Segment], name: str) -> list[float]:
    values = (segment.evidence[name].value for segment in segments)
    return [value for value in values if value is not None]


def _segment(timbre: Timbre, clip: Clip, answer: HeardClip) -> Segment:
    found = measure(clip.samples, pitch=clip.pitch, clipped_percent=clip.clipped_percent)
    return Segment(
        start_s=clip.phrase.start_s,
        end_s=clip.phrase.end_s,
        tags=dict(zip(timbre.tags, answer.probabilities.tolist(), strict=True)),
        evidence=evidence_of(found, timbre.reference.percentile),
        moments=tuple(
            moment
            for column, tag in enumerate(timbre.tags)
            for moment in _moments(tag, answer, column, clip.phrase.start_s)
        ),
        voiced_share=clip.phrase.voiced_share,
        over_accompaniment_db=clip.over_accompaniment_db,
    )


def _moments(tag: str, answer: HeardClip, column: int, start_s: float) -> list[Moment]:
    """Where a tag stands out of its clip: its course by attention, averaged over 0.4 s."""
    course, attention = answer.course[column], answer.attention[column]
    width = max(1, round(_MOMENT_S * STEPS_PER_SECOND))
    kernel = np.ones(width)
    weight = np.convolve(attention, kernel, mode="same")
    smooth = np.convolve(attention * course, kernel, mode="same") / np.maximum(weight, 1e-9)
    least = max(_LEAST_PROBABILITY, float(answer.probabilities[column]) + _LEAST_ABOVE)
    # Attention that lay evenly would give each stretch its share of the time.
    stands_out = (smooth >= least) & (weight >= 0.25 * width / course.size)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], stands_out, [False]]).astype(np.int8)))
    times = step_times_s(course.size)
    half = 0.5 / STEPS_PER_SECOND
    found = [
        Moment(
            tag=tag,
            start_s=start_s + float(times[first]) - half,
            end_s=start_s + float(times[last - 1]) + half,
            probability=float(smooth[first:last].max()),
        )
        for first, last in edges.reshape(-1, 2).tolist()
        if last - first >= width // 2
    ]
    best = sorted(found, key=lambda moment: -moment.probability)[:_MOST_MOMENTS]
    return sorted(best, key=lambda moment: moment.start_s)


def _mono(samples: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(f"needs mono (n,) or (channels, n) sound, got {samples.shape}")
    mono = samples if samples.ndim == 1 else samples.mean(axis=0)
    return np.ascontiguousarray(mono, dtype=np.float32)
