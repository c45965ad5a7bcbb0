"""Does the timbre model hear what the timbre simulation does? On clips of singers' recordings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.sound.decode import UndecodableAudio
from analysis.sound.timbre_simulation import TAGS, recipe_for, simulate
from analysis.sound.voice.clips import cut
from analysis.training.timbre.voices import Voice

AMOUNTS = (0.5, 1.0)
PAIRS = (("warm", "breathy"), ("bright", "breathy"), ("bright", "clean"), ("warm", "rough"))
PAIR_AMOUNT = 0.7
LEAST_RIGHT = 0.9

Mono = npt.NDArray[np.float32]
Hear = Callable[[Mono, int], Mapping[str, float]]
"""Probability of each tag of a sound (n,) at a rate in Hz."""


@dataclass(frozen=True)
class SungClip:
    """A clip at the recording's own rate, as the preview renders it."""

    singer: str
    samples: Mono
    sample_rate: int


def clips_of(voices: Sequence[Voice], *, most_per_voice: int) -> Iterator[SungClip]:
    """Sung clips of recordings, spread evenly over each; unreadable ones are left out."""
    for voice in voices:
        try:
            sound, rate, rest = voice.read()
        except (UndecodableAudio, OSError):
            continue
        for clip in cut(sound, rate, accompaniment=rest, most=most_per_voice).kept:
            first, last = (round(at * rate) for at in (clip.phrase.start_s, clip.phrase.end_s))
            yield SungClip(voice.singer, sound[first:last], rate)


def simulation_figures(clips: Sequence[SungClip], hear: Hear) -> dict[str, Any]:
    """For each tag and amount: the share of clips in which the tag rose, by how much in the median,
    and what happened to the other tags meanwhile (median moves). For pairs of tags at 0.7 each: the
    share of clips in which each of the two rose."""
    moves: dict[str, dict[float, dict[str, list[float]]]] = {
        tag: {amount: defaultdict(list) for amount in AMOUNTS} for tag in TAGS
    }
    pairs: dict[tuple[str, ...], list[list[bool]]] = {pair: [] for pair in PAIRS}
    loudness_lu: list[float] = []
    for clip in clips:
        before = hear(clip.samples, clip.sample_rate)
        for tag in TAGS:
            for amount in AMOUNTS:
                done = simulate(clip.samples[None], clip.sample_rate, recipe_for({tag: amount}))
                after = hear(done.samples[0], clip.sample_rate)
                for name in after:
                    moves[tag][amount][name].append(after[name] - before[name])
                if done.level.integrated_lufs is not None and done.original.integrated_lufs:
                    loudness_lu.append(done.level.integrated_lufs - done.original.integrated_lufs)
        for pair, rose in pairs.items():
            recipe = recipe_for(dict.fromkeys(pair, PAIR_AMOUNT))
            done = simulate(clip.samples[None], clip.sample_rate, recipe)
            after = hear(done.samples[0], clip.sample_rate)
            rose.append([after[tag] > before[tag] for tag in pair])
    return {
        "clips": len(clips),
        "singers": len({clip.singer for clip in clips}),
        "largest_loudness_change_lu": max((abs(by) for by in loudness_lu), default=0.0),
        "tags": {
            tag: {f"{amount:g}": _summed_up(tag, by_name) for amount, by_name in by_amount.items()}
            for tag, by_amount in moves.items()
        },
        "pairs": {
            " + ".join(pair): dict(zip(pair, np.mean(rose, axis=0).tolist(), strict=True))
            for pair, rose in pairs.items()
        },
    }


def _summed_up(tag: str, moves: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    own = np.array(moves[tag])
    return {
        "right": float((own > 0).mean()),
        "median_move": float(np.median(own)),
        "others": {name: float(np.median(values)) for name, values in moves.items() if name != tag},
    }


def described(figures: Mapping[str, Any]) -> str:
    """A table for people."""
    lines = [
        f"{figures['clips']} clips by {figures['singers']} singers; loudness kept within "
        f"{figures['largest_loudness_change_lu']:.2f} LU",
        "",
        "tag       amount   right   moved by   others (median)",
    ]
    for tag, by_amount in figures["tags"].items():
        for amount, entry in by_amount.items():
            others = ", ".join(f"{name} {by:+.2f}" for name, by in entry["others"].items())
            lines.append(
                f"{tag:<9} {100 * float(amount):>4.0f} %  {entry['right']:>6.1%}   "
                f"{entry['median_move']:>+8.2f}   {others}"
            )
    lines += ["", f"two tags at {100 * PAIR_AMOUNT:.0f} % each: each rises in"]
    for name, rose in figures["pairs"].items():
        shares = ", ".join(f"{tag} {share:.1%}" for tag, share in rose.items())
        lines.append(f"{name:<17} {shares}")
    return "\n".join(lines)


def falls_short(figures: Mapping[str, Any], *, least: float = LEAST_RIGHT) -> list[str]:
    """Which tags rise, at their full amount, in too few clips; in words."""
    return [
        f"{tag} rises in {by_amount['1']['right']:.1%} of the clips"
        for tag, by_amount in figures["tags"].items()
        if by_amount["1"]["right"] < least
    ]
