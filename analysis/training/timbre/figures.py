"""What a timbre model gets right on singers it has never heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from analysis.neural.timbre.mfcc import mfcc
from analysis.neural.timbre.network import TimbreNetwork
from analysis.sound.decode import UndecodableAudio
from analysis.sound.voice.clips import cut
from analysis.training.timbre.families import HELD_OUT
from analysis.training.timbre.groups import Group
from analysis.training.timbre.voices import Voice
from analysis.training.timbre.weak_labels import Standings, label_rows

GAIN_DB = 12.0

Array = npt.NDArray[np.float64]


def of_model(
    network: TimbreNetwork,
    tags: Sequence[str],
    standings: Standings,
    *,
    groups: Sequence[Group],
    voices: Sequence[Voice],
) -> dict[str, Any]:
    """All figures of the card. ``groups`` hold the changes of :data:`families.HELD_OUT`."""
    network.eval()
    answers = [probabilities(network, group) for group in groups]
    return {
        "clips": len(groups),
        "singers": len({group.singer for group in groups}),
        "changes": _changes(groups, answers, tags),
        "gain": _gain(network, voices),
        "weak_labels": _agreement(groups, answers, tags, standings),
    }


@torch.inference_mode()
def probabilities(network: TimbreNetwork, group: Group) -> Array:
    """Answers (rows, tags) to a group's versions."""
    logits = network(torch.from_numpy(group.coefficients).float()).logits
    return torch.sigmoid(logits.double()).numpy()


def _changes(
    groups: Sequence[Group], answers: Sequence[Array], tags: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """For every change and tag that it moves: share of clips moved rightly, and by how much."""
    moved: dict[tuple[str, str], list[float]] = defaultdict(list)
    signs: dict[tuple[str, str], int] = {}
    wanted = {change.name: change.moves for change in HELD_OUT}
    for group, answer in zip(groups, answers, strict=True):
        for row, name in enumerate(group.changes):
            for tag, sign in wanted.get(name, {}).items():
                if tag in tags:
                    column = list(tags).index(tag)
                    moved[name, tag].append(float(answer[row, column] - answer[0, column]))
                    signs[name, tag] = sign
    found: dict[str, dict[str, Any]] = {}
    for (name, tag), by in moved.items():
        values = np.array(by) * signs[name, tag]
        found.setdefault(name, {})[tag] = {
            "direction": signs[name, tag],
            "right": float((values > 0).mean()),
            "median_move": float(np.median(by)),
        }
    return found


@torch.inference_mode()
def _gain(network: TimbreNetwork, voices: Sequence[Voice]) -> dict[str, float]:
    """Largest difference that a gain of 12 dB up or down makes, clips being cut anew each time."""

    def heard(sound: npt.NDArray[np.float32], rate: int) -> Array | None:
        kept = cut(sound, rate, most=2).kept
        if not kept:
            return None
        logits = [network(mfcc(clip.samples)[None]).logits[0] for clip in kept]
        return torch.sigmoid(torch.stack(logits).double()).mean(0).numpy()

    differences: list[float] = []
    for voice in voices:
        try:
            sound, rate, _ = voice.read()
        except (UndecodableAudio, OSError):
            continue
        plain = heard(sound, rate)
        if plain is None:
            continue
        for gain_db in (-GAIN_DB, GAIN_DB):
            louder = heard(sound * np.float32(10.0 ** (gain_db / 20.0)), rate)
            differences.append(1.0 if louder is None else float(np.abs(louder - plain).max()))
    return {"voices": len(differences) / 2, "largest": max(differences, default=0.0)}


def _agreement(
    groups: Sequence[Group], answers: Sequence[Array], tags: Sequence[str], standings: Standings
) -> dict[str, dict[str, float]]:
    """Answers against weak labels on all versions: mean absolute error, correlation, and the
    expected calibration error in ten bins of equal size."""
    labels = np.concatenate([label_rows(group, tags, standings)[0] for group in groups])
    said = np.concatenate(answers)
    found = {}
    for column, tag in enumerate(tags):
        known = np.isfinite(labels[:, column])
        if known.sum() < 20:
            continue
        label, answer = labels[known, column], said[known, column]
        bins = np.array_split(np.argsort(answer), 10)
        gaps = [abs(answer[part].mean() - label[part].mean()) * part.size for part in bins]
        found[tag] = {
            "mean_absolute_error": float(np.abs(label - answer).mean()),
            "correlation": float(np.corrcoef(label, answer)[0, 1]),
            "calibration_error": float(np.sum(gaps) / label.size),
        }
    return found


def falls_short(
    figures: dict[str, Any], *, least: float = 0.95, most_gain: float = 0.03
) -> list[str]:
    """Which of the product's promises the figures break, in words."""
    short = [
        f"{name}: {tag} moves the right way in {entry['right']:.1%} of the clips"
        for name, by_tag in figures["changes"].items()
        for tag, entry in by_tag.items()
        if entry["right"] < least
    ]
    if figures["gain"]["largest"] > most_gain:
        short.append(f"a gain of 12 dB moves a tag by {figures['gain']['largest']:.3f}")
    return short


def described(figures: dict[str, Any]) -> str:
    """The figures as Markdown tables."""
    lines = [
        f"{figures['clips']} clips by {figures['singers']} singers held out.",
        "",
        "| change | tag | moves the right way | median move |",
        "| --- | --- | --- | --- |",
    ]
    for name, by_tag in figures["changes"].items():
        for tag, entry in by_tag.items():
            arrow = "up" if entry["direction"] > 0 else "down"
            lines.append(
                f"| {name} | {tag} {arrow} | {entry['right']:.1%} | {entry['median_move']:+.3f} |"
            )
    gain = figures["gain"]
    lines += [
        "",
        f"A gain of 12 dB up or down moves no tag by more than {gain['largest']:.4f} "
        f"({gain['voices']:.0f} recordings).",
        "",
        "| tag | mean absolute error against weak labels | correlation | calibration error |",
        "| --- | --- | --- | --- |",
    ]
    for tag, entry in figures["weak_labels"].items():
        lines.append(
            f"| {tag} | {entry['mean_absolute_error']:.3f} | {entry['correlation']:.2f} | "
            f"{entry['calibration_error']:.3f} |"
        )
    return "\n".join(lines)
