"""Words made from a heat map."""

import numpy as np
import pytest

from analysis.neural.explain import attention, clock, sentence
from analysis.sound.mel import COLUMNS_PER_SECOND, mel_frequencies_hz


def test_band_and_seconds_are_found_where_the_heat_is():
    heat = np.zeros((128, 1_000), dtype=np.float32)
    inside = (mel_frequencies_hz() >= 60) & (mel_frequencies_hz() < 250)
    start = round(30 * COLUMNS_PER_SECOND)
    heat[inside, start : start + round(8 * COLUMNS_PER_SECOND)] = 1.0
    found = attention(heat)
    assert found.band == "bass"
    assert found.start_s == pytest.approx(30, abs=0.1)
    assert found.end_s == pytest.approx(38, abs=0.1)
    assert found.section_share == pytest.approx(1.0)
    assert sum(found.band_shares.values()) == pytest.approx(1.0)
    assert sentence("hiphop", found, familiar=True) == (
        "Hiphop mainly because of 60–250 Hz (bass), most of all between 0:30 and 0:38."
    )


def test_unfamiliar_music_is_not_lied_about():
    heat = np.ones((128, 200), dtype=np.float32)
    text = sentence("country", attention(heat), familiar=False)
    assert text.startswith("Closest known: country, but this is unlike what the model knows")


def test_no_evidence_is_said():
    assert attention(np.zeros((128, 50), dtype=np.float32)) is None
    assert "no single region" in sentence("jazz", None, familiar=True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (72.4, "1:12"), (59.6, "1:00"), (3_661, "1:01:01")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
