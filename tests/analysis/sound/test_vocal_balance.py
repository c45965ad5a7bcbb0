"""The voice against the rest, on sounds whose balance is known."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
import scipy.signal

from analysis.sound.stem_evidence import StemEvidence, StemMeter, stem_evidence
from analysis.sound.vocal_balance import vocal_balance

RATE = 22_050
SECONDS = 12


def rest() -> np.ndarray:
    """Noise that falls with frequency as music does, (n,)."""
    white = np.random.default_rng(1).standard_normal(SECONDS * RATE)
    low = scipy.signal.sosfilt(scipy.signal.butter(1, 300, fs=RATE, output="sos"), white)
    return (0.1 * low / low.std()).astype(np.float32)


def voice(*, gain_db: float = 0.0, sung: tuple[float, float] = (0.0, SECONDS)) -> np.ndarray:
    """Harmonics of 220 Hz with a level of their own, silent outside ``sung`` seconds."""
    at = np.arange(SECONDS * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * 220 * k * at + k) / k for k in range(1, 12))
    tone *= 0.1 / tone.std() * 10 ** (gain_db / 20)
    tone[(at < sung[0]) | (at >= sung[1])] = 0.0
    return tone.astype(np.float32)


@pytest.mark.parametrize("gain_db", [-10.0, -3.0, 5.0])
def test_the_ratio_is_the_difference_of_two_loudness_meters(gain_db):
    meter = pyloudnorm.Meter(RATE)
    one, other = voice(gain_db=gain_db), rest()
    wanted = meter.integrated_loudness(one) - meter.integrated_loudness(other)
    found = vocal_balance(one, other, RATE)
    assert found.ratio_lu == pytest.approx(wanted, abs=0.1)
    assert found.sung_share == pytest.approx(1.0, abs=0.05)


def test_pauses_of_the_voice_do_not_lower_it():
    whole = vocal_balance(voice(), rest(), RATE)
    half = vocal_balance(voice(sung=(2.0, 8.0)), rest(), RATE)
    assert half.ratio_lu == pytest.approx(whole.ratio_lu, abs=0.3)
    assert half.sung_share == pytest.approx(0.5, abs=0.05)


def test_pauses_of_the_rest_do_not_lift_it():
    band = rest()
    band[RATE * 6 :] *= 0.001
    found = vocal_balance(voice(), band, RATE)
    assert found.ratio_lu == pytest.approx(vocal_balance(voice(), rest(), RATE).ratio_lu, abs=0.3)
    assert found.sung_share == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "sound",
    [np.zeros(SECONDS * RATE, np.float32), voice(gain_db=-30.0), voice(sung=(4.0, 6.0))],
    ids=["silence", "what a separation leaves over", "one shout"],
)
def test_an_instrumental_has_no_balance(sound):
    assert vocal_balance(sound, rest(), RATE) is None


def test_where_the_voice_is_buried_and_where_it_leads():
    sound = voice()
    sound[: 4 * RATE] *= 0.4
    sound[8 * RATE :] *= 2.0
    found = vocal_balance(sound, rest(), RATE)
    assert 1.0 <= found.buried_at_s <= 3.5
    assert 8.5 <= found.leading_at_s <= 11.0


def test_stems_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        vocal_balance(voice(), rest()[:-1], RATE)
    with pytest.raises(ValueError, match="differ in length"):
        stem_evidence({"vocals": voice(), "drums": rest()[:-1]})


def test_blocks_tell_what_the_whole_tells():
    """44.1 kHz in odd blocks, against the same stems at 22,050 Hz in one."""
    stems = {"vocals": voice(gain_db=-2.0), "other": rest()}
    whole = stem_evidence(stems)
    meter = StemMeter(list(stems), sample_rate=2 * RATE)
    fine = {name: scipy.signal.resample_poly(sound, 2, 1) for name, sound in stems.items()}
    for start in range(0, SECONDS * 2 * RATE, 30_011):
        meter.add({name: sound[start : start + 30_011] for name, sound in fine.items()})
    parts = meter.result()
    assert parts.vocals.ratio_lu == pytest.approx(whole.vocals.ratio_lu, abs=0.1)
    for name in stems:
        # The anti-aliasing filters differ near the top, and far below the sound.
        heard = np.array(whole.stems_db[name][:-1]) > -60.0
        np.testing.assert_allclose(
            np.array(parts.stems_db[name][:-1])[heard],
            np.array(whole.stems_db[name][:-1])[heard],
            atol=0.3,
        )


def test_a_stored_document_gives_the_same_back():
    from dataclasses import asdict

    found = stem_evidence({"vocals": voice(), "other": rest()})
    assert StemEvidence.from_document(asdict(found)) == found
    alone = stem_evidence({"drums": rest(), "other": rest()})
    assert alone.vocals is None
    assert StemEvidence.from_document(asdict(alone)) == alone
