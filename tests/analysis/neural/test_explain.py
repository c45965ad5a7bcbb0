"""Words made from a heat map."""

import numpy as np
import pytest

from analysis.neural.attention import attention
from analysis.neural.explain import clock, hertz_range, sentence
from analysis.sound.mel import COLUMNS_PER_SECOND, mel_frequencies_hz

SECTIONS = [(0, 619), (619, 929), (929, 1_300)]


@pytest.fixture
def bass_in_the_middle():
    """All heat in the mel bands of 52 and 77 Hz, between 48 s and 72 s."""
    heat = np.zeros((128, 1_300), dtype=np.float32)
    frequencies = mel_frequencies_hz()
    heat[(frequencies > 40) & (frequencies < 100), 619:929] = 1.0
    return attention(heat, SECTIONS)


def test_the_sentence_names_frequencies_and_seconds(bass_in_the_middle):
    assert SECTIONS[1][0] == round(48 * COLUMNS_PER_SECOND)
    assert sentence("hiphop", bass_in_the_middle, familiar=True) == (
        "Hiphop mainly because of 40–90 Hz between 0:48 and 1:12."
    )


def test_a_runner_up_does_not_claim_to_be_the_answer(bass_in_the_middle):
    text = sentence("pop", bass_in_the_middle, familiar=True, runner_up=True)
    assert text == "What there is of pop comes from 40–90 Hz between 0:48 and 1:12."


def test_what_the_spectrogram_does_not_show_is_not_laid_on_it(bass_in_the_middle):
    text = sentence("pop", bass_in_the_middle, familiar=True, seen=False)
    assert text == (
        "Pop by the sound; the spectrogram alone would not tell. What there is of pop in it: "
        "40–90 Hz between 0:48 and 1:12."
    )


def test_not_being_sure_is_said(bass_in_the_middle):
    text = sentence("pop", bass_in_the_middle, familiar=True, decided=False)
    assert text.startswith("Not sure enough to name a genre. What points to pop, the likeliest:")


def test_unfamiliar_music_is_not_lied_about(bass_in_the_middle):
    text = sentence("country", bass_in_the_middle, familiar=False)
    assert text.startswith("Closest known: country, but this is unlike what the model knows.")


def test_no_place_is_made_up_for_an_even_map():
    everywhere = attention(np.ones((128, 200), dtype=np.float32), [(0, 100), (100, 200)])
    text = sentence("jazz", everywhere, familiar=True)
    assert text.endswith("all through the track.")


def test_no_evidence_is_said():
    assert "no single region" in sentence("jazz", None, familiar=True)
    assert "Nothing" in sentence("jazz", None, familiar=True, runner_up=True)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (41.0, 88.0, "40–90 Hz"),
        (346.0, 1_170.0, "350 Hz–1.2 kHz"),
        (1_996.0, 4_060.0, "2–4.1 kHz"),
        (20.0, 11_025.0, "20 Hz–11 kHz"),
        (500.0, 997.0, "500 Hz–1 kHz"),
    ],
)
def test_ranges_are_written_as_people_do(low, high, text):
    assert hertz_range(low, high) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (72.4, "1:12"), (59.6, "1:00"), (3_661, "1:01:01")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
