"""What each stem of a mix is worth to the genre: the model judges the mix with stems switched off.

The idea is audioLIME's (Haunschmid, Manilow and Widmer 2020): explain in sources, which a person
can listen to, instead of in cells of a picture. With at most six stems every combination is judged
(16 for four), so that the linear surrogate needs no sampling: over all on/off combinations alike,
its least-squares weight of a stem is the mean change of the probability when it is switched on.

*Off* means subtracted from the mix. What the stems do not add up to (a limiter, an encoder) stays
in, and with everything on, the model hears exactly the mix that the page talks about.

*The picture keeps the mix's scale.* A mel picture is scaled to its track's own loudest and quietest
cell. Scaled anew without, say, the drums, all that remains would become brighter by however much
louder the drums were, and a change of the answer could come from that alone. With the mix's scale
every cell that the stem did not touch stays as it was, as in the sound when a stem is muted; and
"all stems off" is defined at all: a dark picture. The tagger hears it at the mix's gain, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.neural.ears import EXPLAINED, Ears
from analysis.sound.mel import mel_power, mel_to_uint8

Mono = npt.NDArray[np.float32]

MOST_STEMS = 6
# Beside the mix, what the stems leave over must be at least this much quieter.
MOST_LEFT_OVER_DB = -6.0
# A fall of less than this (in probability) is not worth a sentence.
_NOTABLE = 0.05


class NotTheStems(ValueError):
    """The stems do not belong to the mix; the message says how that was noticed."""


@dataclass(frozen=True)
class StemEffect:
    """One stem and one genre, in probability.

    ``without``: of the mix without the stem; ``drop``: how much less that is than of the whole mix;
    ``alone``: of the stem by itself; ``weight``: the surrogate's, mean gain from switching it on.
    """

    name: str
    without: float
    drop: float
    alone: float
    weight: float


@dataclass(frozen=True)
class GenreByStem:
    """The stems' effects on one genre, the one that is missed most first."""

    label: str
    probability: float
    stems: list[StemEffect]
    sentence: str


@dataclass(frozen=True)
class StemAttention:
    """Effects on the three likeliest genres, best first; ``left_over_db`` is the level of what the
    stems do not add up to, relative to the mix (None: they add up exactly)."""

    genres: list[GenreByStem]
    left_over_db: float | None


def stem_attention(ears: Ears, mix: Mono, stems: Mapping[str, Mono]) -> StemAttention:
    """Judge a mix with its stems switched off.

    Parameters
    ----------
    mix : mono, 22,050 Hz, shape (n_samples,)
    stems : two to six of them by name, of the mix's shape and level

    Raises
    ------
    NotTheStems
        If the stems do not add up to the mix.
    ValueError
        For too few or too many stems, or shapes that differ.
    """
    if not 2 <= len(stems) <= MOST_STEMS:
        raise ValueError(f"expected 2 to {MOST_STEMS} stems, got {len(stems)}")
    wrong = [name for name, sound in stems.items() if sound.shape != mix.shape]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: not as long as the mix")
    names = list(stems)
    rest = mix - np.sum(list(stems.values()), axis=0)
    left_over_db = _level_db(rest, mix)
    if left_over_db is not None and left_over_db > MOST_LEFT_OVER_DB:
        raise NotTheStems(
            f"The stems do not add up to this file: the difference is {left_over_db:.0f} dB beside "
            "it. They must be of the same mix, at the same level, and start at the same moment."
        )
    scale = mel_power(mix)
    combinations = list(itertools.product((True, False), repeat=len(names)))

    def answer(on: tuple[bool, ...]) -> npt.NDArray[np.float32]:
        sound = _playing(mix, stems, on)
        picture = mel_to_uint8(mel_power(sound), scale_of=scale)
        return ears.probabilities(picture, tagged=ears.tag(sound, level_of=mix))

    answers = np.stack([answer(on) for on in combinations])
    return StemAttention(
        genres=[
            _genre(ears.labels[index], names, combinations, answers[:, index])
            for index in answers[0].argsort()[::-1][:EXPLAINED]
        ],
        left_over_db=left_over_db,
    )


def sentence(label: str, probability: float, stems: list[StemEffect]) -> str:
    """``Take the bass away and hiphop falls from 81 % to 34 %.``"""
    most = max(stems, key=lambda stem: stem.drop)
    if most.drop >= _NOTABLE:
        return (
            f"Take the {most.name} away and {label} falls from {_percent(probability)} to "
            f"{_percent(most.without)}."
        )
    lowest = min(stem.without for stem in stems)
    return (
        f"No single stem carries {label} ({_percent(probability)}): whichever is taken away, it "
        f"stays at {_percent(lowest)} or more."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _playing(mix: Mono, stems: Mapping[str, Mono], on: tuple[bool, ...]) -> Mono:
    off = [sound for sound, is_on in zip(stems.values(), on, strict=True) if not is_on]
    return mix - np.sum(off, axis=0, dtype=np.float32) if off else mix


def _genre(
    label: str,
    names: list[str],
    combinations: list[tuple[bool, ...]],
    answers: npt.NDArray[np.float32],
) -> GenreByStem:
    """Effects from a genre's probability under every combination (the first is: all on)."""
    by_combination = dict(zip(combinations, (float(value) for value in answers), strict=True))
    whole = answers[0]
    on = np.array(combinations, dtype=np.float64)
    design = np.column_stack([np.ones(len(on)), on])
    weights = np.linalg.lstsq(design, answers.astype(np.float64), rcond=None)[0][1:]
    effects = []
    for number, name in enumerate(names):
        without = by_combination[tuple(other != number for other in range(len(names)))]
        effects.append(
            StemEffect(
                name=name,
                without=without,
                drop=float(whole) - without,
                alone=by_combination[tuple(other == number for other in range(len(names)))],
                weight=float(weights[number]),
            )
        )
    effects.sort(key=lambda stem: -stem.drop)
    return GenreByStem(label, float(whole), effects, sentence(label, float(whole), effects))


def _level_db(sound: Mono, beside: Mono) -> float | None:
    ratio = float(np.mean(np.square(sound, dtype=np.float64))) / max(
        float(np.mean(np.square(beside, dtype=np.float64))), 1e-20
    )
    return 10.0 * float(np.log10(ratio)) if ratio > 1e-12 else None
