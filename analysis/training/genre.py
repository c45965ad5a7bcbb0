"""Training the trunk and its genre head on mel pictures; resumable, seeded, any device."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from analysis.neural.listener import ListeningNetwork, scale_mel
from analysis.neural.windows import windows_of
from analysis.training import transfer
from analysis.training.augment import mixup, random_windows
from analysis.training.datasets import MelCorpus
from analysis.training.distributed import ALONE, Processes, pick_device
from analysis.training.loop import fit, generators
from analysis.training.picture_bank import PictureBank
from analysis.training.recipe import Recipe

__all__ = ["GenreTask", "Recipe", "hear_tracks", "pick_device", "train_trunk"]


@torch.inference_mode()
def hear_tracks(
    network: ListeningNetwork, mel: np.ndarray, *, device: torch.device, hop: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean logits (n, k), pooled features (n, 512), embeddings (n, 128) of pictures (n, 128, T)."""
    network.eval()
    logits, pooled, embeddings = [], [], []
    for picture in mel:
        windows = torch.from_numpy(windows_of(picture, hop=hop))
        heard = network(scale_mel(windows)[:, None].to(device))
        logits.append(heard.logits.mean(0).cpu().numpy())
        pooled.append(heard.pooled.mean(0).cpu().numpy())
        embeddings.append(nn.functional.normalize(heard.embedding.mean(0), dim=0).cpu().numpy())
    return np.stack(logits), np.stack(pooled), np.stack(embeddings)


def train_trunk(
    corpus: MelCorpus,
    *,
    recipe: Recipe,
    run_dir: Path,
    validation: MelCorpus | None = None,
    device: str = "auto",
    init_from: Mapping[str, Tensor] | None = None,
    also: Sequence[MelCorpus] = (),
    processes: Processes = ALONE,
    told: Callable[[float], object] | None = None,
) -> ListeningNetwork:
    """Train trunk and genre head; returns the averaged (EMA) network on the CPU.

    Parameters
    ----------
    init_from : state of a listening network or of its trunk to start from (heads in it are left
        aside); ``recipe.trunk_rate`` says how much slower than the heads it then learns
    told : gets the share (0..1) of the training that is done after each epoch, in the first
        process; what it raises ends the training, and the next run does the epoch again
    also : more corpora to learn from, with the same genre names; tracks may be of other lengths

    A checkpoint is written to ``run_dir`` after every epoch; a run that was killed goes on from it
    and ends with the same weights as one that was not. ``metrics.jsonl`` there has a line an epoch.
    Raises ValueError if a checkpoint of another recipe, corpus or starting point is in the way, if
    corpora disagree on the names, or if ``init_from`` is no trunk of this network.
    """
    task = GenreTask([corpus, *also], recipe=recipe, validation=validation, told=told)
    torch.manual_seed(recipe.seed)
    network = ListeningNetwork(len(corpus.names))
    if init_from is not None:
        transfer.load_trunk(network, init_from)
    fingerprint = json.dumps(
        [
            asdict(recipe),
            [part.digest() for part in (corpus, *also)],
            transfer.digest(init_from),
        ],
        sort_keys=True,
    )
    average = fit(
        network,
        task,
        recipe=recipe,
        run_dir=run_dir,
        fingerprint=fingerprint,
        device=pick_device(device),
        processes=processes,
    )
    return cast(ListeningNetwork, average)


class GenreTask:
    """Naming the genre of changed and blended windows; see :class:`analysis.training.loop.Task`."""

    def __init__(
        self,
        corpora: Sequence[MelCorpus],
        *,
        recipe: Recipe,
        validation: MelCorpus | None,
        told: Callable[[float], object] | None = None,
    ) -> None:
        self._told = told
        self._names = corpora[0].names
        for part in (*corpora, *([validation] if validation else [])):
            if part.names != self._names:
                raise ValueError(f"corpora disagree on the genres: {part.names} and {self._names}")
        owners, pieces = [], []
        before = 0
        for part in corpora:
            for row, picture in part.pieces():
                owners.append(before + row)
                pieces.append(picture)
            before += len(part)
        self._bank = PictureBank(pieces)
        self._labels = torch.from_numpy(np.concatenate([part.labels for part in corpora]))
        self._n_pieces = torch.bincount(torch.tensor(owners), minlength=before)
        self._first_piece = self._n_pieces.cumsum(0) - self._n_pieces
        self._recipe = recipe
        self._validation = validation

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._labels) * self._recipe.crops_per_track // self._recipe.batch_size)

    def batches(self, epoch: int, processes: Processes) -> Iterator[tuple[Tensor, Tensor]]:
        """Network input (n, 1, 128, width) and soft targets (n, k)."""
        recipe = self._recipe
        # The order of tracks and the widths are the same in all processes, what is done to the
        # windows is not.
        common, own = generators(recipe.seed, epoch, processes)
        order = torch.randperm(len(self._labels) * recipe.crops_per_track, generator=common)
        for batch in (order % len(self._labels)).split(recipe.batch_size):
            width = recipe.windows.draw(common)
            tracks = processes.share_of(batch)
            how: Any = {"augmentation": recipe.augmentation, "generator": own, "width": width}
            rows = self._random_rows(tracks, own)
            windows = random_windows(self._bank, rows, **how)
            inputs = scale_mel(windows * 255.0)[:, None]
            targets = soft_targets(self._labels[tracks], len(self._names), recipe.label_smoothing)
            yield mixup(inputs, targets, alpha=recipe.mixup_alpha, generator=own)

    def _random_rows(self, tracks: Tensor, generator: torch.Generator) -> Tensor:
        """One of the pieces of each track (n,), by its number in the bank."""
        which = torch.rand(len(tracks), generator=generator) * self._n_pieces[tracks]
        last = self._n_pieces[tracks] - 1
        return self._first_piece[tracks] + torch.minimum(which.to(torch.int64), last)

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy against soft targets."""
        return nn.functional.cross_entropy(network(inputs).logits, targets)

    def measure(self, network: nn.Module, epoch: int) -> dict[str, float]:
        """Accuracy on the validation tracks, every fourth epoch and after the last one."""
        if self._told is not None:
            self._told((epoch + 1) / self._recipe.epochs)
        if self._validation is None or (epoch % 4 != 3 and epoch + 1 != self._recipe.epochs):
            return {}
        device = next(network.parameters()).device
        logits, _, _ = hear_tracks(
            cast(ListeningNetwork, network), self._validation.mel, device=device, hop=128
        )
        right = logits.argmax(1) == self._validation.labels
        return {"validation_accuracy": float(right.mean())}


def soft_targets(labels: Tensor, n_classes: int, smoothing: float) -> Tensor:
    """Label-smoothed targets (n, k) of labels (n,) (Szegedy et al. 2016)."""
    one_hot = nn.functional.one_hot(labels, n_classes).to(torch.float32)
    return one_hot * (1 - smoothing) + smoothing / n_classes
