"""Loops, guesses and texts over nothing are dropped; what is sung often stays."""

from __future__ import annotations

import itertools

import pytest

from analysis.neural.lyrics import word_times
from analysis.neural.lyrics.gate import Region, Singing
from analysis.neural.lyrics.recognise import Phrase, compressible, split_at_timestamps
from analysis.neural.lyrics.recogniser import TimedText
from analysis.neural.lyrics.refusals import RefusalSettings, believed

SETTINGS = RefusalSettings()
ALL = Singing((Region(0, 100),), (Region(0, 100),), 100)


def phrase(text: str, start: float, end: float, log_p=-0.5, no_speech=0.1) -> Phrase:
    """The words of a text, each as long as the others."""
    words = text.split()
    each = (end - start) / len(words)
    timed = tuple(
        TimedText(f" {word}", 1, start + n * each, start + (n + 1) * each, 0.9)
        for n, word in enumerate(words)
    )
    return Phrase(timed, log_p, no_speech, compressible(text))


def texts(phrases) -> list[str]:
    return [one.text for one in phrases]


def test_a_loop_that_nobody_could_sing_is_cut():
    loop = phrase("and I love you " + "you know that " * 20, 10, 13)
    assert texts(believed([loop], ALL, SETTINGS)) == ["and I love you" + " you know that" * 3]


def test_a_chorus_that_is_sung_four_times_stays():
    chorus = phrase("hey hey hey hey we will go on", 10, 16)
    again = [phrase("we will go on", 20 + 4 * n, 23 + 4 * n) for n in range(5)]
    assert texts(believed([chorus, *again], ALL, SETTINGS)) == texts([chorus, *again])


def test_words_without_singing_under_them_are_dropped():
    singing = Singing((Region(10, 20),), (Region(9.7, 20.3),), 60)
    sung, invented = phrase("this is sung", 11, 14), phrase("this is not", 30, 34)
    assert texts(believed([sung, invented], singing, SETTINGS)) == ["this is sung"]


@pytest.mark.parametrize(
    "credit",
    [
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Untertitel im Auftrag des ZDF für funk, 2017",
        "Subtítulos por la comunidad de Amara.org",
        "Thank you for watching!",
    ],
)
def test_credits_of_subtitles_are_no_lyrics(credit):
    assert believed([phrase(credit, 10, 14)], ALL, SETTINGS) == []


def test_guesses_are_dropped():
    assert believed([phrase("qu est ce", 10, 14, log_p=-1.8)], ALL, SETTINGS) == []
    assert believed([phrase("you", 10, 14, log_p=-1.1, no_speech=0.9)], ALL, SETTINGS) == []
    assert believed([phrase("you", 10, 14, log_p=-1.1, no_speech=0.2)], ALL, SETTINGS) != []


def test_a_cry_is_not_written_for_lines():
    found = believed([phrase("and then A" + "a" * 200, 10, 20)], ALL, SETTINGS)
    assert texts(found) == ["and then Aaaaaa"]
    assert texts(believed([phrase("lalalalala nooo", 10, 20)], ALL, SETTINGS)) == [
        "lalalalala nooo"
    ]


def test_timestamps_part_phrases():
    end, begin = 50257, 50364

    def at(time_s: float) -> int:
        return begin + round(time_s / 0.02)

    closed = [at(0), 1, 2, at(3), at(4), 3, at(8)]
    assert split_at_timestamps(closed, begin, end, 20.0) == ([[1, 2], [3]], 20.0)
    # The network broke off in a phrase: from there it is listened to again.
    unfinished = [at(0), 1, 2, at(3), at(4), 3]
    assert split_at_timestamps(unfinished, begin, end, 20.0) == ([[1, 2]], 4.0)
    pair = [at(0), 1, 2, at(3), at(3)]
    assert split_at_timestamps(pair, begin, end, 20.0) == ([[1, 2]], 3.0)
    assert split_at_timestamps([at(0), 1, 2], begin, end, 20.0) == ([[1, 2]], 20.0)
    assert split_at_timestamps([], begin, end, 20.0) == ([], 20.0)


def test_words_keep_out_of_rests_and_in_order():
    singing = Singing((Region(1, 3), Region(10, 12)), (), 20)
    words = [
        TimedText(" one", 1, 0.0, 2.0, 1),
        TimedText(" two", 1, 2.0, 9.5, 1),  # seems to last through the rest
        TimedText(" three", 1, 9.5, 10.6, 1),  # seems to begin in it
        TimedText(" four", 1, 10.6, 10.6, 1),
        TimedText(" five", 1, 10.6, 11.0, 1),
    ]
    found = word_times.repaired(words, singing)
    assert [(word.start_s, word.end_s) for word in found[:3]] == [(1, 2), (2, 3), (10, 10.6)]
    for before, after in itertools.pairwise(found):
        assert before.start_s < before.end_s <= after.start_s
