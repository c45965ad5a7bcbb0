"""Switching stems off: by an answer that can be computed by hand, and on a real multitrack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from analysis.neural.ears import load_ears
from analysis.neural.stem_attention import NotTheStems, sentence, stem_attention
from analysis.sound.mel import log_mel, mel_power, mel_to_uint8

FALCON = Path(__file__).resolve().parents[4] / "shared/data/stems_falcon/falcon69.stem.mp4"
RATE = 22_050


class LevelMeter:
    """Ears whose genre "low" is 0.6 of the brightness below 1 kHz and 0.2 of that above."""

    labels = ["low", "high"]

    def tag(self, mono, *, level_of):
        assert mono.shape == level_of.shape

    def probabilities(self, mel, *, tagged=None):
        low, high = mel[:40].mean() / 255, mel[40:].mean() / 255
        return np.array([0.6 * low + 0.2 * high, 0.2], dtype=np.float32)


def tone(hz: float, level: float = 0.2):
    return (level * np.sin(2 * np.pi * hz * np.arange(4 * RATE) / RATE)).astype(np.float32)


def test_effects_are_those_of_the_pictures_themselves():
    stems = {"bass": tone(110), "other": tone(4_000), "vocals": np.zeros(4 * RATE, np.float32)}
    mix = sum(stems.values())
    meter = LevelMeter()
    found = stem_attention(meter, mix, stems)
    low = next(genre for genre in found.genres if genre.label == "low")
    by_name = {stem.name: stem for stem in low.stems}
    scale = mel_power(mix)

    def answer(sound):
        return meter.probabilities(mel_to_uint8(mel_power(sound), scale_of=scale))[0]

    assert low.probability == pytest.approx(meter.probabilities(log_mel(mix))[0])
    assert by_name["bass"].without == pytest.approx(answer(mix - stems["bass"]), abs=1e-4)
    assert by_name["bass"].alone == pytest.approx(answer(stems["bass"]), abs=1e-4)
    assert by_name["vocals"].drop == pytest.approx(0.0, abs=1e-4)
    assert by_name["vocals"].weight == pytest.approx(0.0, abs=1e-4)
    assert low.stems[0].name == "bass"
    # The surrogate: mean gain of switching the bass on, over what the other two may do.
    gains = []
    for other in (0, 1):
        for vocals in (0, 1):
            rest = other * stems["other"] + vocals * stems["vocals"]
            gains.append(answer(stems["bass"] + rest) - answer(rest))
    assert by_name["bass"].weight == pytest.approx(np.mean(gains), abs=1e-3)
    assert found.left_over_db is None


def test_what_remains_keeps_its_brightness_when_a_loud_stem_goes():
    quiet, loud = tone(110, 0.01), tone(4_000, 0.5)
    whole = mel_power(quiet + loud)
    rest = mel_to_uint8(mel_power(quiet), scale_of=whole)
    before = mel_to_uint8(whole)
    at = np.s_[3:5, 1:-1]
    assert np.abs(rest[at].astype(int) - before[at]).max() <= 1
    assert log_mel(quiet)[at].mean() > before[at].mean() + 30, "what its own scale would do"


def test_strangers_are_refused():
    stems = {"bass": tone(110), "drums": tone(300)}
    with pytest.raises(NotTheStems, match="do not add up"):
        stem_attention(LevelMeter(), tone(2_000), stems)
    with pytest.raises(ValueError, match="as long as"):
        stem_attention(LevelMeter(), tone(2_000)[:-1], stems)
    with pytest.raises(ValueError, match="2 to 6"):
        stem_attention(LevelMeter(), tone(2_000), {"bass": tone(2_000)})


def test_a_sentence_says_what_is_missed_most():
    from analysis.neural.stem_attention import StemEffect

    bass = StemEffect("bass", without=0.34, drop=0.47, alone=0.5, weight=0.3)
    drums = StemEffect("drums", without=0.80, drop=0.01, alone=0.5, weight=0.1)
    assert sentence("hiphop", 0.81, [drums, bass]) == (
        "Take the bass away and hiphop falls from 81 % to 34 %."
    )
    assert "stays at 80 % or more" in sentence("hiphop", 0.81, [drums])


@pytest.fixture(scope="module")
def falcon():
    """Mix and stems of a real multitrack, mono at 22,050 Hz."""
    if not FALCON.exists():
        pytest.skip(f"the multitrack {FALCON} is not there")
    import av

    sounds = {}
    for number, name in enumerate(("mix", "drums", "bass", "other", "vocals")):
        with av.open(str(FALCON)) as file:
            blocks = [frame.to_ndarray() for frame in file.decode(audio=number)]
        stereo = np.concatenate(blocks, axis=1)
        sounds[name] = soxr.resample(stereo.mean(axis=0), 44_100, RATE).astype(np.float32)
    return sounds.pop("mix"), sounds


@pytest.mark.data
def test_a_real_multitrack_is_explained_by_its_stems(falcon):
    mix, stems = falcon
    ears = load_ears()
    found = stem_attention(ears, mix, stems)
    heard = ears.hear(log_mel(mix), tagged=ears.tag(mix))
    assert [genre.label for genre in found.genres] == [one.label for one in heard.explanations]
    assert found.left_over_db < -15, "the file's own stems"
    for genre in found.genres:
        assert genre.probability == pytest.approx(heard.probabilities[genre.label], abs=1e-4)
        assert {stem.name for stem in genre.stems} == set(stems)
        for stem in genre.stems:
            assert stem.drop == pytest.approx(genre.probability - stem.without, abs=1e-6)
            alone = mix - sum(sound for name, sound in stems.items() if name != stem.name)
            index = ears.labels.index(genre.label)
            picture = mel_to_uint8(mel_power(alone), scale_of=mel_power(mix))
            answer = ears.probabilities(picture, tagged=ears.tag(alone, level_of=mix))
            assert stem.alone == pytest.approx(float(answer[index]), abs=1e-3)


@pytest.mark.data
def test_stems_of_another_moment_are_noticed(falcon):
    mix, stems = falcon
    shifted = {name: np.roll(sound, RATE // 2) for name, sound in stems.items()}
    with pytest.raises(NotTheStems):
        stem_attention(load_ears(), mix, shifted)
