"""Fingerprints: the same singing in another file is known again, other singing is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, sosfilt

from analysis.labels.duplicates import SAME_SINGING
from analysis.neural.timbre.fingerprint import Fingerprints, fingerprint
from analysis.sound.voice.clips import cut
from tests.analysis.labels.conftest import voice

RATE_HZ = 32_000
VOICES = Path(__file__).parents[3].parent / "shared" / "data" / "vocals_makam"


def mp3(sound: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    buffer.seek(0)
    return soundfile.read(buffer, dtype="float32")[0]


def brighter(sound: np.ndarray) -> np.ndarray:
    return sound + sosfilt(butter(1, 3_000, "highpass", fs=RATE_HZ, output="sos"), sound)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    known = Fingerprints()
    known.add(fingerprint(one))
    return float(known.similarities(fingerprint(other))[0])


def test_known_again_after_level_codec_and_equaliser():
    sound = voice(3, 4.0)
    assert similarity(sound, sound) == pytest.approx(1.0, abs=1e-3)
    for changed in (0.1 * sound, mp3(sound), brighter(sound), mp3(brighter(0.3 * sound))):
        assert similarity(sound, changed) > 0.95


def test_known_again_where_it_was_cut_elsewhere():
    sound = voice(3, 5.0)
    whole, later = sound[: 4 * RATE_HZ], sound[round(0.37 * RATE_HZ) :]
    assert similarity(whole, later) > SAME_SINGING


def test_other_singing_is_not_the_same():
    known = Fingerprints()
    for seed in range(300):  # more than there is room for at first
        known.add(np.random.default_rng(seed).standard_normal(50 * 12).astype(np.float32))
    for seed in range(300, 312):
        known.add(fingerprint(voice(seed, 3.0)))
    assert len(known) == 312
    found = known.similarities(fingerprint(voice(300, 3.0)))
    assert found.argmax() == 300
    assert np.delete(found, 300).max() < SAME_SINGING


def test_similarity_is_the_correlation_at_the_best_offset():
    draw = np.random.default_rng(1)
    course = draw.standard_normal((40, 12)).astype(np.float32)
    known = Fingerprints()
    known.add(course[:35].ravel())
    moved = np.concatenate([draw.standard_normal((7, 12)), course[:33]]).astype(np.float32)
    assert known.similarities(moved.ravel())[0] == pytest.approx(1.0, abs=1e-4)
    best = max(
        np.corrcoef(course[lag : lag + 20].ravel(), moved[:20].ravel())[0, 1] for lag in (0, 5)
    )
    assert best < 0.5


@pytest.mark.data
@pytest.mark.skipif(not VOICES.is_dir(), reason="no ../shared/data/vocals_makam")
def test_real_phrases_of_one_singer_stay_apart():
    """Other words, the same singer; and each known again from an MP3 cut 0.3 s later."""
    prints, later = [], []
    for path in sorted(VOICES.glob("barbaros__*.flac"))[:3]:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = sound.mean(axis=1)[: 16 * rate]
        moved = mono[round(0.3 * rate) :]
        for clip in cut(mono, rate, most=2).kept:
            start, end = (round(at * rate) for at in (clip.phrase.start_s, clip.phrase.end_s))
            prints.append(fingerprint(clip.samples))
            part = moved[start : min(end, moved.size)]
            again = cut_at(part, rate)
            later.append(fingerprint(mp3(again)))
    known = Fingerprints()
    for one in prints:
        known.add(one)
    for number, one in enumerate(prints):
        assert np.delete(known.similarities(one), number).max() < SAME_SINGING
    for number, one in enumerate(later):
        found = known.similarities(one)
        assert (found.argmax(), found[number] >= SAME_SINGING) == (number, True)


def cut_at(part: np.ndarray, rate: int) -> np.ndarray:
    import soxr

    return soxr.resample(part, rate, RATE_HZ) if rate != RATE_HZ else part
