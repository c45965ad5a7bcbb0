"""Words of the sung example by both engines, and what happens where nobody sings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile

from analysis.neural import loaded_models
from analysis.neural.lyrics import engines, language, passages
from analysis.neural.lyrics.gate import Region, Singing
from analysis.neural.lyrics.sound import SAMPLE_RATE, load
from analysis.neural.lyrics.transcribe import Cancelled, transcribe
from analysis.training.lyrics_figures import normalised
from tests.analysis.neural.lyrics.conftest import WORDS
from tests.analysis.neural.lyrics.test_gate import band


def plain(lyrics) -> list[str]:
    return normalised(lyrics.text)


def words(lyrics):
    return [word for line in lyrics.lines for word in line.words]


def test_the_sung_example_is_understood(heard):
    assert plain(heard) == normalised(" ".join(WORDS))
    assert (heard.engine, heard.model) == ("faster-whisper", "base")
    assert (heard.language, heard.language_source, heard.singing) == ("en", "detected", True)
    assert heard.language_confidence > 0.7
    assert heard.duration_s == pytest.approx(10.88, abs=0.02)
    found = words(heard)
    assert all(0 <= word.start_s < word.end_s <= heard.duration_s for word in found)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(found))
    assert np.median([word.confidence for word in found]) > 0.8


def test_both_engines_agree(example, heard):
    other = transcribe(example.vocals, mix=example.mix, language="en", engine="openai-whisper")
    assert other.engine == "openai-whisper"
    assert (other.language_source, other.language_confidence) == ("artist", 1.0)
    assert plain(other) == plain(heard)
    apart = [abs(a.start_s - b.start_s) for a, b in zip(words(heard), words(other), strict=True)]
    assert max(apart) < 0.1


def test_the_document_has_the_keys_that_others_rely_on(heard):
    document = heard.to_document()
    assert list(document) == [
        "engine",
        "model",
        "language",
        "language_source",
        "language_confidence",
        "singing",
        "lines",
        "duration_s",
    ]
    line = document["lines"][0]
    assert list(line) == ["start_s", "end_s", "text", "words"]
    assert list(line["words"][0]) == ["start_s", "end_s", "text", "confidence"]
    assert line["text"] == " ".join(word["text"] for word in line["words"])


def test_an_instrumental_gives_no_words():
    accompaniment = band(8)
    found = transcribe(10 ** (-24 / 20) * accompaniment, mix=accompaniment)
    assert (found.singing, found.lines, found.language) == (False, (), "")
    assert found.duration_s == pytest.approx(8)


def test_instruments_that_open_the_gate_still_give_no_words():
    """A melody on a bright synthesiser, alone: the gate hears a voice, the network must not."""
    t = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    pitch = 330 * 2 ** (np.array([0, 4, 7, 12, 7, 4])[np.floor(t * 3).astype(int) % 6] / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    melody = sum(np.sin(k * phase) / k for k in range(1, 8)) * np.exp(-3 * (t * 3 % 1))
    assert transcribe((0.2 * melody).astype(np.float32)).lines == ()


def test_progress_rises_to_the_end(heard, told):
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_it_stops_when_asked(example):
    with pytest.raises(Cancelled):
        transcribe(example.vocals, language="en", cancelled=lambda: True)


def test_unknown_names_are_refused(example):
    with pytest.raises(ValueError, match="no engine is called vosk"):
        transcribe(example.vocals, engine="vosk")
    with pytest.raises(ValueError, match="no language has the code xx"):
        transcribe(example.vocals, language="xx")


def test_the_model_is_kept_and_dropped_with_the_others(heard):
    first = engines.load()
    assert engines.load() is first
    loaded_models.drop_all()
    assert engines.load() is not first


def test_languages_are_voted_with_the_singing_as_weight():
    class Ears:
        def encode(self, window):
            return float(window[0])

        def language_probabilities(self, level):
            return {"fr": 0.9, "es": 0.1} if level > 0.5 else {"fr": 0.2, "es": 0.8}

    sound = np.concatenate([np.ones(20 * SAMPLE_RATE), np.zeros(5 * SAMPLE_RATE)])
    heard = [passages.Passage((Region(0, 20),)), passages.Passage((Region(20, 25),))]
    singing = Singing((Region(0, 25),), (Region(0, 25),), 25)
    code, share = language.detect(Ears(), heard, sound.astype(np.float32), singing)
    assert code == "fr"
    assert share == pytest.approx((20 * 0.9 + 5 * 0.2) / 25)


def test_files_of_any_rate_are_read_as_16_khz(tmp_path):
    t = np.arange(48_000) / 48_000
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.stack([np.sin(2 * np.pi * 440 * t)] * 2, axis=1) / 2, 48_000)
    heard = load(path)
    assert heard.shape == (16_000,)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) / 2
    np.testing.assert_allclose(heard[500:-500], expected[500:-500], atol=1e-3)
