"""Does what was learned from pictures work on sound? And beside a peer that learned from sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from analysis.neural import taggers
from analysis.neural.published_taggers import load_tagger
from analysis.sound.mel import SAMPLE_RATE
from analysis.sound.mono import mono_of_file
from analysis.training import evaluation
from analysis.training.evaluation import unit
from analysis.training.held_out import HeldOut
from analysis.training.intervals import Interval, mean_by_artist

Float = npt.NDArray[np.float32]

# Half a patch: every moment is heard twice.
_PEER_HOP_S = 1.5


@dataclass(frozen=True)
class AudioFigures:
    """The same held-out tracks as sound files of 15 to 20 s and as pictures of 30 s.

    ``gap`` is picture minus sound, in accuracy; ``same_label`` is the share of tracks with the same
    answer to both.
    """

    tracks: int
    sound_accuracy: float
    picture_accuracy: float
    gap: Interval
    same_label: float


@dataclass(frozen=True)
class ClipSpace:
    """Ranking clips by cosine: genre mAP with all clips, and without those of the query's own
    artist."""

    genre_map: float
    genre_map_other_artists: float


@dataclass(frozen=True)
class ClipFigures:
    """Held-out clips of 2 to 3 s. The peer is trained on the clips that our judges trained on, and
    hears the same held-out ones; without its checkpoint it is left out."""

    clips: int
    accuracy: Interval
    embedding: ClipSpace
    penultimate: ClipSpace
    peer: str | None = None
    peer_accuracy: Interval | None = None
    peer_space: ClipSpace | None = None
    accuracy_minus_peer: Interval | None = None
    genre_map_minus_peer: Interval | None = None


def audio_figures(tracks: HeldOut, files: dict[str, Path]) -> AudioFigures:
    """Compare the answers to sound files (by track id) with those to the same tracks' pictures."""
    heard = tracks.only(sorted(files))
    labels = heard.corpus.labels
    sound = heard.answers_to_sound([mono_of_file(files[track]) for track in heard.corpus.ids])
    picture = heard.answers(list(heard.corpus.pictures()))
    by_sound, by_picture = (each.probabilities.argmax(axis=1) for each in (sound, picture))
    difference = (by_picture == labels).astype(np.float32) - (by_sound == labels)
    return AudioFigures(
        tracks=len(heard),
        sound_accuracy=float((by_sound == labels).mean()),
        picture_accuracy=float((by_picture == labels).mean()),
        gap=mean_by_artist(difference, heard.corpus.artists),
        same_label=float((by_sound == by_picture).mean()),
    )


def clip_figures(
    tracks: HeldOut,
    files: dict[str, Path],
    *,
    peer_folder: Path | None = None,
    labels_of_seen: dict[str, int] | None = None,
) -> ClipFigures:
    """Hear short clips (by track id).

    ``peer_folder`` holds the checkpoint of :mod:`analysis.neural.taggers`; it is trained on the
    clips of tracks in ``labels_of_seen`` (id to label) that the respective judge was trained on.
    """
    heard = tracks.only(sorted(files))
    labels, artists = heard.corpus.labels, heard.corpus.artists
    found = heard.answers_to_sound([mono_of_file(files[track]) for track in heard.corpus.ids])
    right = (found.probabilities.argmax(axis=1) == labels).astype(np.float32)
    precision, embedding = _rank(heard, found.embeddings)
    _, penultimate = _rank(heard, found.penultimate)
    ours = ClipFigures(len(heard), mean_by_artist(right, artists), embedding, penultimate)
    if peer_folder is None:
        return ours
    answers, vectors = _peer(heard, files, peer_folder, labels_of_seen or {})
    peer_right = (answers == labels).astype(np.float32)
    peer_precision, peer_space = _rank(heard, vectors)
    return ClipFigures(
        clips=ours.clips,
        accuracy=ours.accuracy,
        embedding=embedding,
        penultimate=penultimate,
        peer=f"{peer_folder.name}, {taggers.MusiCNN.features} penultimate features + SVM",
        peer_accuracy=mean_by_artist(peer_right, artists),
        peer_space=peer_space,
        accuracy_minus_peer=mean_by_artist(right - peer_right, artists),
        genre_map_minus_peer=mean_by_artist(precision - peer_precision, artists),
    )


def _rank(tracks: HeldOut, vectors: Float) -> tuple[Float, ClipSpace]:
    """Average precision of each query (n,) and the means, within each judge's tracks."""
    every = np.full(len(tracks), np.nan, dtype=np.float32)
    others = every.copy()
    genres, artists = np.array(tracks.genres), np.array(tracks.corpus.artists)
    for _, rows in tracks.by_judge():
        inside = vectors[rows], genres[rows].tolist()
        every[rows] = evaluation.average_precisions(*inside)
        others[rows] = evaluation.average_precisions(*inside, left_out=artists[rows].tolist())
    return every, ClipSpace(float(np.nanmean(every)), float(np.nanmean(others)))


def _peer(
    tracks: HeldOut, files: dict[str, Path], folder: Path, labels_of_seen: dict[str, int]
) -> tuple[npt.NDArray[np.int64], Float]:
    """The peer's answers (n,) and standardised unit features (n, 200) on the tracks."""
    model = load_tagger(folder)
    features = {track: peer_features(model, path) for track, path in sorted(files.items())}
    answers = np.zeros(len(tracks), dtype=np.int64)
    vectors = np.zeros((len(tracks), model.features), dtype=np.float32)
    for one, rows in tracks.by_judge():
        known = sorted(one.seen_ids & files.keys() & labels_of_seen.keys())
        svm = make_pipeline(StandardScaler(), SVC(C=1.0))
        svm.fit(
            np.stack([features[track] for track in known]),
            [labels_of_seen[track] for track in known],
        )
        own = np.stack([features[tracks.corpus.ids[row]] for row in rows])
        answers[rows] = svm.predict(own)
        vectors[rows] = unit(svm[0].transform(own))
    return answers, vectors


@torch.inference_mode()
def peer_features(model: taggers.Tagger, path: Path) -> Float:
    """Mean penultimate features (200,) of a sound file."""
    mono = soxr.resample(mono_of_file(path), SAMPLE_RATE, taggers.SAMPLE_RATE)
    _, features = model(taggers.log_mel_patches(mono, hop_seconds=_PEER_HOP_S))
    return features.mean(dim=0).numpy()
