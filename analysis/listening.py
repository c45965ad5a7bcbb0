"""The listening stage on one file: from bytes to a document, without account or database.

One decode, one mel picture, one forward pass. ``manage.py analyze`` prints what :func:`listen`
returns, and the job of the same name stores it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis import pictures
from analysis.genre_document import genre_part, heat_pictures, stems_part
from analysis.mixing import ANY_GENRE, judge, load_targets
from analysis.neural.ears import HeardSections, HeardTrack, load_ears
from analysis.neural.verdict import is_decided
from analysis.neural.weights import find
from analysis.sound.measure import SoundMeasurements, measure
from analysis.sound.mel import log_mel
from analysis.sound.sections import sections
from analysis.sound.stem_evidence import stem_evidence
from analysis.stems import read_stems
from analysis.versions import MEASUREMENTS_VERSION

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Listening:
    """What the listening stage found: a JSON-able document, pictures by name, waveform peaks, and
    where the track's sections lie in the similarity space."""

    document: dict[str, Any]
    pictures: dict[str, bytes]
    waveform: dict[str, Any]
    sections: HeardSections
    seconds_by_step: dict[str, float] = field(default_factory=dict)


def warm_up() -> None:
    """Load the model and targets, so that the first track is as quick as the others."""
    load_ears()
    load_targets()


def listen(
    path: Path | str,
    *,
    target_genre: str | None = None,
    stems: Path | None = None,
    max_duration_s: float = 3600.0,
    progress: Progress | None = None,
) -> Listening:
    """Listen to one file.

    Parameters
    ----------
    target_genre : genre whose balance the mix is judged against; default is the predicted one, or
        all genres together ("any") where the prediction is not sure
    stems : folder with stems of the same mix (see :mod:`analysis.stems`), for ``genre.stems`` and
        to say in which of them a finding lies
    progress : called with a fraction 0..1 and a short message

    Raises
    ------
    analysis.sound.decode.UndecodableAudio
        If the file cannot be used; the message is for the artist.
    ValueError
        If ``target_genre`` has no measured target, or ``stems`` cannot be used.
    """
    tell = progress or (lambda _fraction, _message: None)
    targets = load_targets()
    if target_genre is not None:
        targets.check(target_genre)
    clock: dict[str, float] = {}

    def measuring(fraction: float, message: str) -> None:
        tell(0.02 + 0.68 * fraction, message)

    with _timed(clock, "measure"):
        measured = measure(path, max_duration_s=max_duration_s, progress=measuring)
    tell(0.72, "Drawing the spectrogram")
    with _timed(clock, "mel"):
        mel = log_mel(measured.mono_22k)
    tell(0.76, "Hearing the genre")
    with _timed(clock, "network"):
        ears = load_ears()
        heard = ears.hear(mel, tagged=ears.tag(measured.mono_22k))
    tell(0.92, "Judging the mix")
    parts = None if stems is None else read_stems(stems, n_samples=measured.mono_22k.size)
    with _timed(clock, "mix"):
        # A mix of no clear genre is judged against all of them together.
        genre = target_genre or (heard.label if _is_decided(heard) else ANY_GENRE)
        known = None if parts is None else stem_evidence(parts)
        mix = judge(measured, genre=genre, picture=mel, targets=targets, stems=known)
    with _timed(clock, "pictures"):
        drawn = {
            "spectrogram.png": pictures.spectrogram_png(mel),
            **heat_pictures(heard),
        }
        part = genre_part(heard, sections(mel), duration_s=measured.info.duration_s)
    if parts is not None:
        tell(0.95, "Switching stems off")
        with _timed(clock, "stems"):
            part["stems"] = stems_part(load_ears(), measured, parts)
    document = _document(measured, heard, part, asdict(mix))
    tell(1.0, "Done")
    return Listening(
        document=document,
        pictures=drawn,
        waveform={
            "columns": len(measured.waveform.minima),
            "min": measured.waveform.minima,
            "max": measured.waveform.maxima,
        },
        sections=heard.sections,
        seconds_by_step=clock,
    )


def _document(
    measured: SoundMeasurements, heard: HeardTrack, genre: dict[str, Any], mix: dict[str, Any]
) -> dict[str, Any]:
    """The documented keys (docs/analyze.md), plain JSON values only."""
    ears = find("ears")
    return {
        "file": asdict(measured.info),
        "genre": genre,
        "features": {name: round(value, 4) for name, value in heard.features.items()},
        "feature_percentiles": {
            name: round(value, 1) for name, value in heard.feature_percentiles.items()
        },
        "feature_reference": ears.settings["feature_reference"],
        "tempo": {
            "bpm": measured.rhythm.tempo_bpm,
            "confidence": measured.rhythm.confidence,
            "onset_rate_hz": measured.rhythm.onset_rate_hz,
        },
        "key": asdict(measured.key),
        "loudness": _loudness(measured),
        "stereo": asdict(measured.stereo),
        "spectrum": asdict(measured.spectrum),
        "dynamics": asdict(measured.dynamics),
        "hum": None if measured.hum is None else asdict(measured.hum),
        "mix": mix,
        "embedding": [round(float(value), 6) for value in heard.embedding],
        "models": {"ears": ears.version, "measurements": MEASUREMENTS_VERSION},
    }


def _is_decided(heard: HeardTrack) -> bool:
    return is_decided(heard.confidence, heard.familiarity)


def _loudness(measured: SoundMeasurements) -> dict[str, Any]:
    loudness, levels = measured.loudness, measured.levels
    return {
        "integrated_lufs": loudness.integrated_lufs,
        "loudness_range_lu": loudness.loudness_range_lu,
        "true_peak_dbtp": loudness.true_peak_dbtp,
        "sample_peak_dbfs": loudness.sample_peak_dbfs,
        "peak_to_loudness_lu": loudness.plr_lu,
        "max_momentary_lufs": loudness.momentary_max_lufs,
        "max_short_term_lufs": loudness.short_term_max_lufs,
        "short_term_step_s": loudness.short_term_step_s,
        "short_term_lufs": loudness.short_term_lufs,
        "momentary_step_s": loudness.momentary_step_s,
        "momentary_lufs": loudness.momentary_lufs,
        "psr_min_lu": loudness.psr_min_lu,
        "psr_median_lu": loudness.psr_median_lu,
        "psr_min_at_s": loudness.psr_min_at_s,
        "inter_sample_overs": loudness.inter_sample_overs,
        "inter_sample_overs_at_s": loudness.inter_sample_overs_at_s,
        **asdict(levels),
    }


@contextmanager
def _timed(clock: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    clock[step] = time.perf_counter() - started
