"""Repair of word times: in order, with the singing, and not across rests.

The attention of the network says when a word follows another, not when a rest ends: the first word
after a rest seems to begin with the rest, and the last one before it to last through it. The gate
knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.neural.lyrics.gate import Region, Singing
from analysis.neural.lyrics.passages import Passage
from analysis.neural.lyrics.recogniser import TimedText

SHORTEST_WORD_S = 0.06
# The attention moves on to a word before it sounds. Median over the recognised words of the six
# songs of JamendoLyrics (docs/lyrics.md): 0.10 s, between 0.08 and 0.15 in each.
ATTENTION_EARLY_S = 0.09
_LONG_BEGINNING_S = 0.5
# What of a word may lie on the far side of a rest: the attention's times are this exact.
_SPILL_S = 0.2


def placed(word: TimedText, passage: Passage) -> TimedText:
    """A word of a passage with its times in the recording.

    What begins with the passage begins where that does: there the network was not early.
    """
    late_s = ATTENTION_EARLY_S if word.start_s > 0.0 else 0.0
    start_s = passage.time_s(word.start_s + late_s)
    end_s = passage.time_s(word.end_s + ATTENTION_EARLY_S, is_end=True)
    return replace(word, start_s=start_s, end_s=max(start_s, end_s))


def whole_words(words: Sequence[TimedText], *, spaced: bool) -> list[TimedText]:
    """The tokenizer's pieces as words: marks go to the word before, and where words are
    ``spaced``, so does whatever begins without a space."""
    joined: list[TimedText] = []
    for word in words:
        is_mark = not any(char.isalnum() for char in word.text)
        is_rest = spaced and not word.text.startswith(" ")
        if joined and (is_mark or is_rest):
            before = joined[-1]
            joined[-1] = replace(
                before,
                text=before.text + word.text.rstrip(),
                n_tokens=before.n_tokens + word.n_tokens,
                end_s=before.end_s if is_mark else word.end_s,
                confidence=before.confidence
                if is_mark
                else min(before.confidence, word.confidence),
            )
        else:
            joined.append(word)
    return [word for word in joined if any(char.isalnum() for char in word.text)]


def without_long_beginning(words: Sequence[TimedText]) -> list[TimedText]:
    """The words of a phrase, the first of which is not longer than twice the usual one.

    The network gives it all the time since the phrase before.
    """
    if not words:
        return []
    usual_s = float(np.median([word.end_s - word.start_s for word in words]))
    longest_s = max(2.0 * usual_s, _LONG_BEGINNING_S)
    first = words[0]
    return [replace(first, start_s=max(first.start_s, first.end_s - longest_s)), *words[1:]]


def repaired(words: Sequence[TimedText], singing: Singing) -> list[TimedText]:
    """Words (seconds of the recording) one after the other, each within the singing if it can be.

    No word begins before the one in front of it ends; all last at least 60 ms, unless the recording
    ends.
    """
    moved = [_within(word, singing.voiced) for word in words]
    ordered: list[TimedText] = []
    for number, word in enumerate(moved):
        start_s = max(word.start_s, ordered[-1].start_s + SHORTEST_WORD_S if ordered else 0.0)
        start_s = min(start_s, max(singing.duration_s - SHORTEST_WORD_S, 0.0))
        end_s = max(word.end_s, start_s + SHORTEST_WORD_S)
        if number + 1 < len(moved):
            following_s = max(moved[number + 1].start_s, start_s + SHORTEST_WORD_S)
            end_s = min(end_s, following_s)
        ordered.append(replace(word, start_s=start_s, end_s=min(end_s, singing.duration_s)))
    return ordered


def _within(word: TimedText, voiced: Sequence[Region]) -> TimedText:
    """A word cut down to the stretch of singing that it belongs to."""
    touched = [region for region in voiced if region.overlap_s(word.start_s, word.end_s) > 0.0]
    if not touched:
        return _moved_to_nearest(word, voiced)
    # Rather the first stretch, unless only the tail of the word before can be meant there.
    while len(touched) > 1 and touched[0].overlap_s(word.start_s, word.end_s) < _SPILL_S:
        touched.pop(0)
    first = touched[0]
    return replace(
        word, start_s=max(word.start_s, first.start_s), end_s=min(word.end_s, first.end_s)
    )


def _moved_to_nearest(word: TimedText, voiced: Sequence[Region]) -> TimedText:
    """A word in a rest goes to the beginning of the singing after it, if that is near."""
    following = [region for region in voiced if region.start_s >= word.end_s]
    if following and following[0].start_s - word.end_s < 1.0:
        start_s = following[0].start_s
        return replace(word, start_s=start_s, end_s=start_s + SHORTEST_WORD_S)
    return word
