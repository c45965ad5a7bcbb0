"""Who may judge what: a figure counts only on tracks that the weights have not been trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.neural.ears import Ears
from analysis.sound.mel import log_mel
from analysis.training.datasets import MelCorpus
from analysis.training.evaluation import unit

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]


class NothingHeldOut(ValueError):
    """The weights were trained on every track that a figure would be taken on."""


@dataclass(frozen=True)
class Judge:
    """Ears, and the ids and artists of the tracks that they were trained on (and that in words)."""

    ears: Ears
    trained_on: str
    seen_ids: frozenset[str]
    seen_artists: frozenset[str]

    def may_judge(self, track: str, artist: str) -> bool:
        """Whether neither the track nor another one of its artist was trained on."""
        return track not in self.seen_ids and artist not in self.seen_artists


def judge(
    ears: Ears, splits: Mapping[str, MelCorpus], *, trained_on: str | Sequence[str] | None = None
) -> Judge:
    """Ears with what they have seen.

    That is ``settings["trained_on"]`` of their manifest: names of splits joined by ``+`` ("train",
    "train+valid") or a list of track ids. ``trained_on`` speaks for manifests that are silent.
    Raises ValueError if neither says it, if a split is not known, or if the ears name other genres
    than the corpus.
    """
    told = ears.weights.settings.get("trained_on", trained_on)
    if told is None:
        raise ValueError(
            f"{ears.weights.identity} does not say what it was trained on; say it with --trained-on"
        )
    names = next(iter(splits.values())).names
    if ears.labels != names:
        raise ValueError(f"{ears.weights.identity} knows {ears.labels}, the corpus has {names}")
    if isinstance(told, str):
        unknown = [name for name in told.split("+") if name not in splits]
        if unknown:
            raise ValueError(f"trained_on names splits that are not here: {', '.join(unknown)}")
        ids = {track for name in told.split("+") for track in splits[name].ids}
    else:
        ids = set(told)
    artists = {
        artist
        for corpus in splits.values()
        for track, artist in zip(corpus.ids, corpus.artists, strict=True)
        if track in ids
    }
    words = told if isinstance(told, str) else f"{len(ids)} tracks"
    return Judge(ears, words, frozenset(ids), frozenset(artists))


def together(splits: Mapping[str, MelCorpus]) -> MelCorpus:
    """All splits as one corpus."""
    parts = list(splits.values())
    return MelCorpus(
        ids=[track for part in parts for track in part.ids],
        mel=_as_wide([part.mel for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        names=parts[0].names,
        artists=[artist for part in parts for artist in part.artists],
        columns=_columns(parts),
        tempo_bpm=(
            None
            if any(part.tempo_bpm is None for part in parts)
            else np.concatenate([part.tempo_bpm for part in parts if part.tempo_bpm is not None])
        ),
        tagged=(
            None
            if any(part.tagged is None for part in parts)
            else [rows for part in parts for rows in part.tagged or ()]
        ),
    )


def _as_wide(pictures: Sequence[UInt8]) -> UInt8:
    """Pictures (n, 128, T_i) as one array, the narrower ones repeated up to the widest."""
    widest = max(each.shape[2] for each in pictures)
    return np.concatenate([each[:, :, np.arange(widest) % each.shape[2]] for each in pictures])


def _columns(parts: Sequence[MelCorpus]) -> Int | None:
    if all(part.columns is None for part in parts):
        return None
    whole = [np.full(len(part), part.mel.shape[2], dtype=np.int64) for part in parts]
    return np.concatenate(
        [
            full if part.columns is None else part.columns
            for part, full in zip(parts, whole, strict=True)
        ]
    )


@dataclass(frozen=True)
class HeldOut:
    """Tracks with, for each, the judge that has not seen it. Rows stand for tracks.

    One judge makes a plain held-out set; several, each trained without another fold, make a
    cross-fitted one.
    """

    judges: list[Judge]
    judge_of: Int  # (n,) index into judges
    corpus: MelCorpus

    def __len__(self) -> int:
        return len(self.corpus)

    @property
    def genres(self) -> list[str]:
        """Each track's genre by name."""
        return [self.corpus.names[index] for index in self.corpus.labels]

    def by_judge(self) -> Iterator[tuple[Judge, Int]]:
        """Each judge with the rows that are its own: embeddings compare within these only."""
        for index, one in enumerate(self.judges):
            rows = np.flatnonzero(self.judge_of == index)
            if rows.size:
                yield one, rows

    def only(self, ids: Sequence[str]) -> HeldOut:
        """The same, of those of these tracks that are held out; raises NothingHeldOut if none."""
        wanted = set(ids)
        rows = [row for row, track in enumerate(self.corpus.ids) if track in wanted]
        if not rows:
            raise NothingHeldOut("none of these tracks is held out from the training")
        return HeldOut(self.judges, self.judge_of[rows], subset(self.corpus, rows))

    def answers(self, pictures: Sequence[UInt8]) -> Answers:
        """What each track's judge says to a picture (128, T) of it, in the corpus's order."""
        return self._answers(lambda ears, rows: hear(ears, [pictures[row] for row in rows]))

    def answers_to_sound(self, sounds: Sequence[Float]) -> Answers:
        """The same, to 22,050 Hz mono sound of each track, as the product hears an upload."""
        return self._answers(lambda ears, rows: hear_sound(ears, [sounds[row] for row in rows]))

    def _answers(self, hear_rows: Callable[[Ears, Int], Answers]) -> Answers:
        parts = [(rows, hear_rows(one.ears, rows)) for one, rows in self.by_judge()]
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        found = [answers for _, answers in parts]
        tagged = [answers.tagged for answers in found if answers.tagged is not None]
        return Answers(
            probabilities=np.concatenate([each.probabilities for each in found])[order],
            embeddings=np.concatenate([each.embeddings for each in found])[order],
            pooled=np.concatenate([each.pooled for each in found])[order],
            tagged=np.concatenate(tagged)[order] if len(tagged) == len(found) else None,
        )


def held_out(judges: Sequence[Judge], corpus: MelCorpus) -> HeldOut:
    """The tracks of ``corpus`` that at least one judge has not seen, each with the first such.

    Raises NothingHeldOut if there is none: weights that were also trained on the validation tracks
    have no held-out figures of their own.
    """
    rows, who = [], []
    for row, (track, artist) in enumerate(zip(corpus.ids, corpus.artists, strict=True)):
        able = next((i for i, one in enumerate(judges) if one.may_judge(track, artist)), None)
        if able is not None:
            rows.append(row)
            who.append(able)
    if not rows:
        raise NothingHeldOut(
            f"{', '.join(one.ears.weights.identity for one in judges)} was trained on all of these "
            "tracks, so it has no held-out figures: give the weights of the validation run (or of "
            "every fold of a cross-validation) with --weights"
        )
    return HeldOut(list(judges), np.array(who, dtype=np.int64), subset(corpus, rows))


def subset(corpus: MelCorpus, rows: Sequence[int] | Int) -> MelCorpus:
    """Some tracks of a corpus."""
    return MelCorpus(
        ids=[corpus.ids[row] for row in rows],
        mel=corpus.mel[np.asarray(rows, dtype=np.int64)],
        labels=corpus.labels[np.asarray(rows, dtype=np.int64)],
        names=corpus.names,
        artists=[corpus.artists[row] for row in rows],
        columns=None if corpus.columns is None else corpus.columns[np.asarray(rows)],
        tempo_bpm=None if corpus.tempo_bpm is None else corpus.tempo_bpm[np.asarray(rows)],
        tagged=None if corpus.tagged is None else [corpus.tagged[row] for row in rows],
    )


@dataclass(frozen=True)
class Answers:
    """What ears say to n pictures."""

    probabilities: Float  # (n, k), calibrated
    embeddings: Float  # (n, 128), unit vectors
    pooled: Float  # (n, 512), the trunk's features before its heads
    tagged: Float | None = None  # (n, d), the taggers', where some heard all of them

    @property
    def penultimate(self) -> Float:
        """Unit vectors (n, 512 or more) of what the genres are told from, each listener's part of
        the same length."""
        if self.tagged is None:
            return unit(self.pooled)
        return unit(np.concatenate([unit(self.pooled), unit(self.tagged)], axis=1))


def hear_sound(ears: Ears, sounds: Sequence[Float]) -> Answers:
    """Answers of the product to 22,050 Hz mono sounds (n,)."""
    return hear(ears, [log_mel(mono) for mono in sounds], [ears.tag(mono) for mono in sounds])


def hear(
    ears: Ears, pictures: Sequence[Any], tagged: Sequence[Float | None] | None = None
) -> Answers:
    """Answers of the product (``Ears.predict``) to pictures (128, T) uint8 of any length, and to
    what the tagger heard in their sound."""
    beside = [None] * len(pictures) if tagged is None else tagged
    predicted = [
        ears.predict(picture, tagged=rows) for picture, rows in zip(pictures, beside, strict=True)
    ]
    return Answers(
        probabilities=np.stack([one.probabilities for one in predicted]),
        embeddings=np.stack([one.embedding for one in predicted]),
        pooled=np.stack([one.pooled for one in predicted]),
        tagged=(
            None
            if any(one.tagged is None for one in predicted)
            else np.stack([one.tagged for one in predicted if one.tagged is not None])
        ),
    )
