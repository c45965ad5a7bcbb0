"""The artist's own words find their places in the voice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.neural.lyrics import matching
from analysis.neural.lyrics.align import align, expected_times_s, share_out, words_of
from analysis.neural.lyrics.gate import Region, Singing
from analysis.neural.lyrics.passages import Passage
from analysis.neural.lyrics.recogniser import TimedText
from tests.analysis.neural.lyrics.test_gate import band

# The artist says "often" where the network hears "always".
TEXT = "(It OFTEN seems)\n\nlike time — stands still!\nwhen I'm with you"


def words(lyrics):
    return [word for line in lyrics.lines for word in line.words]


@pytest.fixture(scope="module")
def aligned(example):
    return align(example.vocals, TEXT, mix=example.mix, language="en")


def test_every_word_is_placed_as_it_was_written(aligned):
    assert [line.text for line in aligned.lines] == [
        "(It OFTEN seems)",
        "like time — stands still!",
        "when I'm with you",
    ]
    found = words(aligned)
    assert all(word.start_s < word.end_s for word in found)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(found))


def test_words_are_where_they_were_heard(aligned, heard):
    found = words(aligned)
    apart = [abs(a.start_s - b.start_s) for a, b in zip(found, words(heard), strict=True)]
    assert max(apart) < 0.4
    assert np.median(apart) < 0.1
    assert found[1].confidence < 0.5 < np.median([word.confidence for word in found])


def test_texts_and_sounds_that_cannot_be_aligned_are_refused(example):
    with pytest.raises(ValueError, match="no words"):
        align(example.vocals, " \n — \n", language="en")
    with pytest.raises(ValueError, match="20,000"):
        align(example.vocals, "la " * 8000)
    silence = 0.001 * band(3, level_db=-40)
    with pytest.raises(ValueError, match="no singing"):
        align(silence, "la la")


def test_lists_of_words_are_laid_side_by_side():
    written = "on and on and the road goes on and on".split()
    heard = "on an on the rose goes on and".split()
    found = matching.pairs(written, heard)
    assert [(written[row], heard[column]) for row, column in found] == [
        ("on", "on"),
        ("and", "an"),
        ("on", "on"),
        ("the", "the"),
        ("goes", "goes"),
        ("on", "on"),
        ("and", "and"),
    ]
    assert matching.pairs([], ["a"]) == []


def test_unheard_words_lie_evenly_in_the_singing_between():
    singing = Singing((Region(0, 10), Region(20, 30)), (), 40)
    written = words_of("first aaaa bbbb cccc dddd last", spaced=True)
    heard = [TimedText(" first", 1, 5.0, 6.0, 1), TimedText(" last", 1, 25.0, 26.0, 1)]
    times = expected_times_s(written, heard, singing)
    assert times[0] == pytest.approx(5.0)
    assert times[-1] == pytest.approx(25.0)
    assert np.all(np.diff(times) > 0)
    assert not np.any((times > 10.0) & (times < 20.0))  # nothing in the rest


def test_words_are_shared_out_by_lines():
    written = words_of("a b c d\ne f g h", spaced=True)
    shares = share_out(
        written,
        np.array([1.0, 2, 3, 4, 4.5, 21, 22, 23]),
        [Passage((Region(0, 6),)), Passage((Region(20, 26),))],
    )
    assert shares == [(0, 4), (4, 8)]  # "e" goes with its line


def test_languages_without_spaces_are_taken_letter_by_letter():
    assert [word.text for word in words_of("君の 名は。", spaced=False)] == [
        "君",
        "の",
        "名",
        "は。",
    ]
