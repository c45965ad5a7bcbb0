"""Clips that people have labelled: whether there is enough in them to learn from, and which singers
training may hear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Two of three raters are enough for a yes; between, people do not agree.
YES_FROM = 0.65
NO_UPTO = 0.35

LEAST_CLIPS = 16
LEAST_SINGERS = 3
LEAST_OF_EACH = 4
_SPLITS_TRIED = 200


class LabelsUnusable(ValueError):
    """Labels that nothing can be learned from. ``code`` names why, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class LabelledClip:
    """``clip`` is the sha256 of its file; ``labels`` are from 0 (no) to 1 (yes) by tag."""

    clip: str
    name: str
    singer: str
    labels: Mapping[str, float]
    held_out: bool = False

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, object]]) -> list[LabelledClip]:
        """From the rows of a snapshot."""
        return [
            cls(
                clip=str(row["clip"]),
                name=str(row["name"]),
                singer=str(row["singer"]),
                labels=dict(row["labels"]),  # type: ignore[call-overload]
                held_out=bool(row["held_out"]),
            )
            for row in rows
        ]


@dataclass(frozen=True)
class TagCount:
    """Clips in which people hear a tag, do not hear it, and do not agree."""

    yes: int
    no: int
    divided: int

    @property
    def is_enough(self) -> bool:
        """Whether a model can learn to tell yes from no."""
        return min(self.yes, self.no) >= LEAST_OF_EACH

    @property
    def shortage(self) -> str:
        """Why it is not enough, in words; empty if it is."""
        if self.is_enough:
            return ""
        if self.yes + self.no == 0 and self.divided:
            return "people do not agree about any clip"
        if self.yes + self.no == 0:
            return "nobody labelled it"
        if not self.yes or not self.no:
            return f"every answer is {'no' if not self.yes else 'yes'}"
        return f"{self.yes} yes and {self.no} no, and {LEAST_OF_EACH} of each are needed"


def is_yes(label: float) -> bool:
    """Whether people hear the tag."""
    return label >= YES_FROM


def is_no(label: float) -> bool:
    """Whether people do not hear the tag."""
    return label <= NO_UPTO


def counts(clips: Iterable[LabelledClip]) -> dict[str, TagCount]:
    """How many clips say what, by tag, in the order of the tags' names."""
    found: dict[str, list[int]] = {}
    for clip in clips:
        for tag, label in clip.labels.items():
            found.setdefault(tag, [0, 0, 0])[0 if is_yes(label) else 1 if is_no(label) else 2] += 1
    return {tag: TagCount(*found[tag]) for tag in sorted(found)}


def learnable(clips: Sequence[LabelledClip]) -> list[str]:
    """Tags that clips (none of them held out) have enough labels of, by name.

    Raises LabelsUnusable if nothing can be learned, with the reason.
    """
    labelled = [clip for clip in clips if clip.labels]
    singers = {clip.singer for clip in labelled}
    if not labelled:
        raise LabelsUnusable("no_labels", "There is no labelled clip to learn from yet.")
    if len(labelled) < LEAST_CLIPS:
        raise LabelsUnusable(
            "few_clips",
            f"{len(labelled)} labelled clip{'s' * (len(labelled) != 1)} to learn from "
            f"{'are' if len(labelled) != 1 else 'is'} too few: at least {LEAST_CLIPS} are needed, "
            "not counting the ones that are kept for comparing models.",
        )
    if len(singers) < LEAST_SINGERS:
        raise LabelsUnusable(
            "few_singers",
            f"The labelled clips are by {len(singers)} singer{'s' * (len(singers) != 1)}: at least "
            f"{LEAST_SINGERS} are needed, not counting those that are kept for comparing models. "
            "Otherwise a model learns the singers by heart.",
        )
    of_tags = counts(labelled)
    enough = [tag for tag, count in of_tags.items() if count.is_enough]
    if enough:
        return enough
    reasons = "; ".join(f"{tag}: {count.shortage}" for tag, count in of_tags.items())
    if all(count.yes + count.no == 0 for count in of_tags.values()):
        raise LabelsUnusable(
            "contradictory",
            "The votes contradict each other everywhere, so there is nothing to learn "
            f"({reasons}). Talk about the guidelines, or settle the disputed clips.",
        )
    raise LabelsUnusable(
        "one_sided", f"No tag has enough clips with it and enough without it: {reasons}."
    )


def divided(
    clips: Sequence[LabelledClip], tags: Sequence[str], *, share: float, seed: int
) -> tuple[list[LabelledClip], list[LabelledClip]]:
    """Clips to learn from, and clips of other singers by which training knows when to stop.

    About ``share`` of the clips stop. Of many draws the one is taken in which both sides have yes
    and no of most tags, and then the one closest to the share. The same clips give the same split.

    Raises LabelsUnusable if no draw leaves any tag with both on both sides.
    """
    singers = sorted({clip.singer for clip in clips})
    column = {singer: index for index, singer in enumerate(singers)}
    # (singers, tags, yes or no), and clips of each singer
    sides = np.zeros((len(singers), len(tags), 2), dtype=int)
    sizes = np.zeros(len(singers), dtype=int)
    for clip in clips:
        sizes[column[clip.singer]] += 1
        for number, tag in enumerate(tags):
            label = clip.labels.get(tag, 0.5)
            if is_yes(label) or is_no(label):
                sides[column[clip.singer], number, int(is_no(label))] += 1
    best: tuple[float, float, int, frozenset[str]] | None = None
    for attempt in range(_SPLITS_TRIED):
        order = sorted(
            singers, key=lambda s: hashlib.sha256(f"{seed} {attempt} {s}".encode()).digest()
        )
        sums = np.cumsum([sizes[column[singer]] for singer in order[:-1]])
        upto = 1 + int(np.argmin(np.abs(sums - share * len(clips))))
        stopping = [column[singer] for singer in order[:upto]]
        of_stopping = sides[stopping].sum(axis=0)
        of_learning = sides.sum(axis=0) - of_stopping
        covered = (np.minimum(of_stopping, 2).sum(axis=1) * (of_stopping.min(axis=1) > 0)) * (
            of_learning.min(axis=1) >= min(LEAST_OF_EACH, 2)
        )
        off = abs(float(sizes[stopping].sum()) / len(clips) - share)
        found = (-float(covered.sum()), round(off, 6), attempt, frozenset(order[:upto]))
        if best is None or found[:3] < best[:3]:
            best = found
    if best is None or not best[0]:
        raise LabelsUnusable(
            "one_sided",
            "Yes and no of each tag come from different singers, so no singers can be kept aside "
            "to see whether anything was learned. Label clips of more singers.",
        )
    stopping_singers = best[3]
    return (
        [clip for clip in clips if clip.singer not in stopping_singers],
        [clip for clip in clips if clip.singer in stopping_singers],
    )
