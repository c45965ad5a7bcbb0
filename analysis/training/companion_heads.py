"""Fitting what a tagger adds to the trunk (:mod:`analysis.neural.companion`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from analysis.neural.companion import hear_picture
from analysis.neural.listener import (
    EMBEDDING_DIMENSIONS,
    CompanionHeads,
    ListeningNetwork,
    PictureCompanion,
)
from analysis.neural.taggers import MusiCNN, Tagger
from analysis.neural.yamnet import YAMNet
from analysis.training.datasets import MelCorpus
from analysis.training.genre_head import HeadRecipe, discriminant, joined, pool_pictures
from analysis.training.heads import fit_temperature

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Agreement:
    """How two listeners' genre logits become one answer: those of the tagger count ``share`` times
    beside the trunk's, and the sum is divided by ``temperature``."""

    share: float
    temperature: float


# Of the listeners of sound, and perhaps of those of pictures.
Agreed = tuple[Agreement, Agreement | None]


def tagged_pictures(taggers: Sequence[Tagger], corpus: MelCorpus) -> MelCorpus:
    """The corpus, with what taggers of pictures hear in them."""
    return replace(corpus, tagged=heard_in(taggers, corpus.pictures()))


def heard_in(taggers: Sequence[Tagger], pictures: Iterable[UInt8]) -> list[Float]:
    """What taggers of pictures hear in the windows of each (128, T): features (n, d)."""
    return [hear_picture(taggers, picture) for picture in pictures]


def fit_companions(
    network: ListeningNetwork,
    sounds: MelCorpus,
    *,
    pictures: MelCorpus | None = None,
    taggers: Sequence[MusiCNN | YAMNet] = (),
    agreed: Agreed | None = None,
) -> None:
    """Give ``network`` a companion that hears sound, and with ``taggers`` of pictures, a MusiCNN
    and perhaps a YAMNet, one that hears pictures. What MusiCNN heard in ``pictures``
    (:func:`tagged_pictures`), the genre head of the other one learns from, too. They count as
    ``agreed``, if they were weighed already. Raises ValueError as :func:`fit_companion`, and for
    other taggers.
    """
    of_musicnn = pictures
    if pictures is not None:
        first = [rows[:, : MusiCNN.features] for rows in _tagged(pictures)]
        of_musicnn = replace(pictures, tagged=first)
    network.companion = fit_companion(network, sounds, also=of_musicnn)
    network.picture_companion = None
    if taggers and pictures is not None:
        if [type(tagger) for tagger in taggers] not in ([MusiCNN], [MusiCNN, YAMNet]):
            raise ValueError("pictures are heard by a MusiCNN, or by a MusiCNN and then a YAMNet")
        hears = PictureCompanion(network.genre.out_features, yamnet=len(taggers) > 1)
        for own, taught in zip(hears.taggers, taggers, strict=True):
            own.load_state_dict(taught.state_dict())
        hears.heads = fit_companion(network, pictures)
        network.picture_companion = hears.eval().requires_grad_(False)
    if agreed is not None:
        _let_count(network, agreed)


def weigh_companions(
    network: ListeningNetwork, sounds: MelCorpus, pictures: MelCorpus | None = None
) -> Agreed:
    """Let the companions count as they should, found on what nothing has learned from; the one for
    pictures on ``pictures`` that its tagger heard. Raises ValueError for a network without a
    companion."""
    if network.companion is None:
        raise ValueError("there is no companion to agree with")
    of_sound, of_pictures = agree(network, network.companion, sounds), None
    if network.picture_companion is not None and pictures is not None:
        of_pictures = agree(network, network.picture_companion.heads, pictures)
    _let_count(network, (of_sound, of_pictures))
    return of_sound, of_pictures


def _let_count(network: ListeningNetwork, agreed: Agreed) -> None:
    of_sound, of_pictures = agreed
    if network.companion is not None:
        apply(network.companion, of_sound)
    if network.picture_companion is not None and of_pictures is not None:
        apply(network.picture_companion.heads, of_pictures)


def fit_companion(
    network: ListeningNetwork,
    sounds: MelCorpus,
    *,
    also: MelCorpus | None = None,
    recipe: HeadRecipe | None = None,
) -> CompanionHeads:
    """Heads on the features that a tagger heard in ``sounds``.

    The genre head is a linear discriminant like the trunk's (:mod:`analysis.training.genre_head`),
    of ``also`` as well, which may be pictures that a tagger of pictures heard. The place in the
    similarity space needs no labels: of both listeners' vectors side by side, the 128 directions
    are kept in which the sounds' products are largest (uncentred principal components), so that
    cosines stay what they were as nearly as 128 numbers can. Raises ValueError for a corpus that
    was not tagged, or without a track of some class.
    """
    recipe = recipe or HeadRecipe()
    tagged = _tagged(sounds)
    windows = np.concatenate(tagged)
    heads = CompanionHeads(network.genre.out_features, windows.shape[1])
    heads.mean.copy_(torch.from_numpy(windows.mean(axis=0)))
    heads.spread.copy_(torch.from_numpy(windows.std(axis=0) + 1e-6))
    labels = sounds.labels
    if also is not None:
        tagged = [*tagged, *_tagged(also)]
        labels = np.concatenate([labels, also.labels])
    examples = joined([[rows] for rows in tagged])
    matrix, offset = discriminant(
        examples, labels, classes=network.genre.out_features, shrinkage=recipe.shrinkage
    )
    places = _heard(network, heads, sounds)[2].astype(np.float64)
    _, vectors = np.linalg.eigh(places.T @ places)
    with torch.no_grad():
        heads.genre.weight.copy_(torch.from_numpy(matrix))
        heads.genre.bias.copy_(torch.from_numpy(offset))
        heads.fuse.weight.copy_(torch.from_numpy(vectors[:, -EMBEDDING_DIMENSIONS:].T.copy()))
    return heads.eval().requires_grad_(False)


def agree(network: ListeningNetwork, heads: CompanionHeads, sounds: MelCorpus) -> Agreement:
    """Weigh both listeners on sounds (or pictures) that neither has learned from."""
    trunk, tagger, _ = _heard(network, heads, sounds)
    return agree_on(trunk, tagger, sounds.labels)


def agree_on(trunk: Float, tagger: Float, labels: npt.NDArray[np.int64]) -> Agreement:
    """Weigh two listeners by their logits (n, k).

    Each is first made less sure by a temperature of its own, where it was too sure, then both count
    alike: one number for each listener and one for the sum, fitted to the likelihood (Guo et al.
    2017). None is made surer than it was: where few sounds are all named right, the likelihood asks
    for temperatures near nothing.
    """
    own = [max(1.0, fit_temperature(logits, labels)) for logits in (trunk, tagger)]
    share = own[0] / own[1]
    return Agreement(share, fit_temperature(trunk + share * tagger, labels))


@torch.inference_mode()
def answers_of_both(
    network: ListeningNetwork, heads: CompanionHeads, sounds: MelCorpus
) -> tuple[Float, Float]:
    """Both listeners' logits (n, k), added up, and their embeddings (n, 128)."""
    trunk, tagger, places = _heard(network, heads, sounds)
    embeddings = functional.normalize(heads.fuse(torch.from_numpy(places)), dim=1)
    return trunk + tagger, embeddings.numpy()


def apply(heads: CompanionHeads, found: Agreement) -> None:
    """Let the tagger's logits count as agreed."""
    with torch.no_grad():
        heads.genre.weight.mul_(found.share)
        heads.genre.bias.mul_(found.share)


def _tagged(sounds: MelCorpus) -> list[Float]:
    if sounds.tagged is None:
        raise ValueError("no tagger has heard this corpus")
    return sounds.tagged


@torch.inference_mode()
def _heard(
    network: ListeningNetwork, heads: CompanionHeads, sounds: MelCorpus
) -> tuple[Float, Float, Float]:
    """Of each sound the mean logits (n, k) of the trunk, those of the tagger, and both listeners'
    vectors side by side (n, 128 + d)."""
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for pooled, tagged in zip(
        pool_pictures(network, sounds.pictures()), _tagged(sounds), strict=True
    ):
        windows, beside = torch.from_numpy(pooled), torch.from_numpy(tagged)
        place = heads.track(network.embed(windows).mean(0), beside)
        rows.append((network.genre(windows).mean(0), heads.genre(beside).mean(0), place))
    trunk, tagger, places = (torch.stack(column).numpy() for column in zip(*rows, strict=True))
    return trunk, tagger, places
