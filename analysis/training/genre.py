"""Training the trunk and its genre head on mel pictures; resumable, seeded, any device."""

from __future__ import annotations

import copy
import json
import logging
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from analysis.neural.listener import ListeningNetwork, scale_mel, to_channels_last
from analysis.neural.windows import at_least_one_window, cut, window_starts
from analysis.training.augment import Augmentation, mixup, random_window
from analysis.training.datasets import MelCorpus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training run."""

    epochs: int = 24
    crops_per_track: int = 3
    batch_size: int = 32
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.3
    ema_decay: float = 0.99
    seed: int = 7
    augmentation: Augmentation = field(default_factory=Augmentation)


def pick_device(name: str) -> torch.device:
    """ "auto" takes CUDA, then MPS, then the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@torch.inference_mode()
def hear_tracks(
    network: ListeningNetwork, mel: np.ndarray, *, device: torch.device, hop: int = 64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean logits (n, k), pooled features (n, 512), embeddings (n, 128) of pictures (n, 128, T)."""
    network.eval()
    logits, pooled, embeddings = [], [], []
    for picture in mel:
        filled = at_least_one_window(picture)
        windows = torch.from_numpy(cut(filled, window_starts(filled.shape[1], hop=hop)))
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
) -> ListeningNetwork:
    """Train trunk and genre head; returns the averaged (EMA) network on the CPU.

    A checkpoint is written to ``run_dir`` after every epoch; a run that was killed goes on from it
    and ends with the same weights as one that was not. ``metrics.jsonl`` there has a line an epoch.
    Raises ValueError if a checkpoint of another recipe or corpus is in the way.
    """
    where = pick_device(device)
    run_dir.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = ListeningNetwork(len(corpus.names)).to(where)
    to_channels_last(network)
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    steps = recipe.epochs * -(-len(corpus) * recipe.crops_per_track // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.learning_rate, total_steps=steps, pct_start=0.2
    )
    fingerprint = json.dumps([asdict(recipe), corpus.ids], sort_keys=True)
    checkpoint = run_dir / "checkpoint.pt"
    first_epoch = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=where, weights_only=True)
        if saved["fingerprint"] != fingerprint:
            raise ValueError(f"{checkpoint} belongs to another recipe or corpus; remove it first")
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        first_epoch = saved["epoch"]
        log.info("going on after epoch %d", first_epoch)

    for epoch in range(first_epoch, recipe.epochs):
        started = time.perf_counter()
        loss = _train_epoch(network, average, optimizer, schedule, corpus, recipe, epoch, where)
        line: dict[str, float] = {"epoch": epoch + 1, "loss": loss}
        if validation is not None and (epoch % 4 == 3 or epoch + 1 == recipe.epochs):
            logits, _, _ = hear_tracks(average, validation.mel, device=where, hop=128)
            line["validation_accuracy"] = float((logits.argmax(1) == validation.labels).mean())
        line["seconds"] = time.perf_counter() - started
        log.info(" ".join(f"{key}={value:.4g}" for key, value in line.items()))
        with (run_dir / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        state = {
            "fingerprint": fingerprint,
            "epoch": epoch + 1,
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        torch.save(state, checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").replace(checkpoint)
    return average.cpu().eval()


def _train_epoch(
    network: ListeningNetwork,
    average: ListeningNetwork,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    corpus: MelCorpus,
    recipe: Recipe,
    epoch: int,
    device: torch.device,
) -> float:
    """One pass over the corpus; returns the mean loss. All draws come from (seed, epoch)."""
    generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    torch.manual_seed(recipe.seed * 100_003 + epoch)
    order = torch.randperm(len(corpus) * recipe.crops_per_track, generator=generator)
    order = order % len(corpus)
    mel = torch.from_numpy(corpus.mel)
    labels = torch.from_numpy(corpus.labels)
    network.train()
    total, count = 0.0, 0
    for batch in order.split(recipe.batch_size):
        windows = torch.stack(
            [
                random_window(mel[index], augmentation=recipe.augmentation, generator=generator)
                for index in batch.tolist()
            ]
        )
        windows = scale_mel(windows * 255.0)[:, None]
        targets = _soft_targets(labels[batch], len(corpus.names), recipe.label_smoothing)
        windows, targets = mixup(windows, targets, alpha=recipe.mixup_alpha, generator=generator)
        windows = windows.to(device, memory_format=torch.channels_last)
        logits = network(windows).logits
        loss = nn.functional.cross_entropy(logits, targets.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        _update_average(average, network, recipe.ema_decay)
        total += float(loss.detach()) * len(batch)
        count += len(batch)
    return total / count


def _soft_targets(labels: Tensor, n_classes: int, smoothing: float) -> Tensor:
    one_hot = nn.functional.one_hot(labels, n_classes).to(torch.float32)
    return one_hot * (1 - smoothing) + smoothing / n_classes


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights; running statistics are copied."""
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
    for statistic, current in zip(average.buffers(), network.buffers(), strict=True):
        statistic.copy_(current)
