"""Word errors and onset errors, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.training.lyrics_figures import compare, normalised, songs, timed_words, together

DATA = Path(__file__).parents[4] / "shared/data/lyrics_jamendo"


def test_words_are_compared_without_typography():
    assert normalised("L’eau, c'est DOUX – peut-être!") == "l eau c est doux peut être".split()
    assert normalised("...") == []


def test_errors_are_counted():
    truth = timed_words([("on", 1.0), ("the", 1.5), ("road", 2.0), ("again", 3.0)])
    found = timed_words([("on", 1.1), ("a", 1.5), ("road", 1.9), ("again", 3.5), ("oh", 4.0)])
    figures = compare(truth, found)
    assert (figures.substitutions, figures.deletions, figures.insertions) == (1, 0, 1)
    assert figures.word_error_rate == pytest.approx(2 / 4)
    assert figures.onset_errors_s == pytest.approx((0.1, -0.1, 0.5))
    assert figures.median_onset_error_s == pytest.approx(0.1)
    assert figures.share_within(0.3) == pytest.approx(2 / 3)
    nothing = compare(truth, timed_words([]))
    assert (nothing.word_error_rate, nothing.deletions) == (1.0, 4)
    assert together([figures, nothing]).word_error_rate == pytest.approx(6 / 8)


def test_only_the_first_part_of_a_word_has_a_time():
    truth, found = timed_words([("l'eau", 1.0)]), timed_words([("l", 1.2), ("eau", 1.4)])
    assert compare(truth, found).onset_errors_s == pytest.approx((0.2,))


@pytest.mark.data
def test_annotated_songs_are_read():
    if not DATA.exists():
        pytest.skip(f"the research data is not there: {DATA}")
    found = songs(DATA)
    assert [song.language for song in found] == ["fr", "es", "fr", "fr", "de", "es"]
    song = found[1]
    assert song.lines[0].text == "soy un fantasma que"
    assert song.lines[0].start_s == pytest.approx(17.63, abs=0.01)
    late = song.lines[0].between(18.0, 25.0)
    assert len(late.words) < 4
    assert late.words == song.lines[0].words[-len(late.words) :]
