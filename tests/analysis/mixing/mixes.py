"""Real music, and the injuries that tests do to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal

from analysis.mixing import MixReport, judge, load_targets
from analysis.mixing.evidence import Evidence
from analysis.mixing.judge import judge_evidence
from analysis.mixing.targets import GenreTarget
from analysis.sound.decode import stream
from analysis.sound.measure import SoundMeasurements, measure
from analysis.sound.mel import log_mel
from tests.analysis.sound.demo_truth import demo_tracks, measured
from tests.analysis.sound.signals import write

Array = npt.NDArray[np.float32]
RATE = 48_000


@cache
def music(number: int) -> Array:
    """A demo track, shape (2, n), 48 kHz, peaks at -6 dBFS so that injuries do not clip."""
    sound = np.concatenate(list(stream(demo_tracks()[number].path)), axis=1)
    return (sound * (0.5 / np.abs(sound).max())).astype(np.float32)


def judged(measured: SoundMeasurements, *, genre: str = "any") -> MixReport:
    picture = log_mel(measured.mono_22k)
    return judge(measured, genre=genre, picture=picture, targets=load_targets())


def judged_sound(
    folder: Path, sound: Array, *, genre: str = "any", target: GenreTarget | None = None
) -> MixReport:
    """Report on a signal (channels, n) at 48 kHz."""
    path = write(folder / "mix.wav", sound, rate=RATE, subtype="FLOAT")
    heard = measure(path)
    if target is None:
        return judged(heard, genre=genre)
    evidence = Evidence.of(heard, picture=log_mel(heard.mono_22k))
    return judge_evidence(evidence, target=target, targets=load_targets())


def stored(number: int, *, genre: str) -> dict:
    """The parts of a stored report that judging again reads."""
    return document_of(measured(demo_tracks()[number].path), genre=genre)


def document_of(sound: SoundMeasurements, *, genre: str) -> dict:
    """The same of any measured sound."""
    loudness = asdict(sound.loudness)
    loudness["peak_to_loudness_lu"] = loudness.pop("plr_lu")
    document = {
        "file": asdict(sound.info),
        "loudness": {**loudness, **asdict(sound.levels)},
        "stereo": asdict(sound.stereo),
        "spectrum": asdict(sound.spectrum),
        "dynamics": asdict(sound.dynamics),
        "hum": None if sound.hum is None else asdict(sound.hum),
        "mix": asdict(judged(sound, genre=genre)),
    }
    return json.loads(json.dumps(document))


def bell(sound: Array, *, hz: float, q: float, gain_db: float) -> Array:
    """Robert Bristow-Johnson's peaking equaliser."""
    a = 10 ** (gain_db / 40)
    w = 2 * np.pi * hz / RATE
    alpha = np.sin(w) / (2 * q)
    b = [1 + alpha * a, -2 * np.cos(w), 1 - alpha * a]
    den = [1 + alpha / a, -2 * np.cos(w), 1 - alpha / a]
    return scipy.signal.lfilter(np.array(b) / den[0], np.array(den) / den[0], sound).astype(
        np.float32
    )
