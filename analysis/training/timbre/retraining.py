"""From people's labels to a candidate: a whole training of the timbre network that serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from analysis.neural.timbre.model import Timbre
from analysis.neural.timbre.network import TimbreNetwork
from analysis.neural.weights import Weights
from analysis.training.checkpoints import Checkpoint
from analysis.training.loop import Watch, fit
from analysis.training.timbre import clip_groups
from analysis.training.timbre.clip_groups import Read, Versions
from analysis.training.timbre.label_figures import average_precision, best_threshold, entropies, f1
from analysis.training.timbre.label_network import put_right, temperature_of, warm_started
from analysis.training.timbre.label_task import LabelRecipe, LabelTask, fingerprint, label_matrix
from analysis.training.timbre.labelled import (
    LabelledClip,
    LabelsUnusable,
    counts,
    divided,
    learnable,
)

_BUILDING = 0.4  # of the progress, with nothing in the cache

Told = Callable[[float, str, list[dict[str, float]]], object]


@dataclass(frozen=True)
class Retrained:
    """A network with all that is said of it. ``figures`` are plain numbers for a manifest."""

    network: TimbreNetwork
    tags: list[str]
    thresholds: dict[str, float]
    figures: dict[str, Any]
    learned: list[LabelledClip]
    stopping: list[LabelledClip]


def chosen_device(wanted: str = "auto") -> str:
    """``auto`` is CUDA where there is one, and the CPU elsewhere."""
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def retrain(
    clips: Sequence[LabelledClip],
    *,
    base: Weights,
    read: Read,
    run: Path,
    cache: Path,
    recipe: LabelRecipe,
    retired: Collection[str] = (),
    device: str = "cpu",
    told: Told,
    check: Callable[[], object] = lambda: None,
) -> Retrained:
    """Go on training the model ``base`` with people's labels; held-out clips among ``clips`` are
    left alone. What is finished is kept in ``run`` and ``cache``, and found again.

    ``told`` gets the share that is done, a message, and the history of the epochs; ``check`` is
    called often. What either raises ends the training.

    Raises
    ------
    LabelsUnusable
        If nothing can be learned, or nothing was.
    OtherRun
        If ``run`` is another training's.
    FloatingPointError
        If the loss stops being a number.
    """
    clips = [clip for clip in clips if not clip.held_out and clip.labels]
    wanted = [tag for tag in learnable(clips) if tag not in retired]
    if not wanted:
        raise LabelsUnusable("one_sided", "Only retired tags have enough labels to learn from.")
    clips = _with_tags(clips, wanted)
    learn_from, stopping = divided(clips, wanted, share=recipe.stopping_share, seed=recipe.seed)
    versions = clip_groups.build(
        [*learn_from, *stopping],
        read=read,
        cache=cache,
        told=lambda n: (
            check(),
            told(_BUILDING * n / len(clips), f"Listening to clip {n + 1} of {len(clips)}", []),
        ),
    )
    # What could not be read is missing: is there still enough?
    learnable([clip for clip in clips if clip.clip in versions])
    learn_from = [clip for clip in learn_from if clip.clip in versions]
    stopping = [clip for clip in stopping if clip.clip in versions]
    return _trained(
        learn_from,
        stopping,
        versions,
        wanted,
        base=base,
        run=run,
        recipe=recipe,
        retired=retired,
        device=device,
        told=told,
        check=check,
    )


def _with_tags(clips: Sequence[LabelledClip], tags: Sequence[str]) -> list[LabelledClip]:
    """Clips with their labels of some tags only; without any, they go."""
    kept = [
        replace(clip, labels={tag: clip.labels[tag] for tag in tags if tag in clip.labels})
        for clip in clips
    ]
    return [clip for clip in kept if clip.labels]


def _trained(
    learn_from: list[LabelledClip],
    stopping: list[LabelledClip],
    versions: Mapping[str, Versions],
    learned_tags: Sequence[str],
    *,
    base: Weights,
    run: Path,
    recipe: LabelRecipe,
    retired: Collection[str],
    device: str,
    told: Told,
    check: Callable[[], object],
) -> Retrained:
    teacher = Timbre(base)
    kept = [tag for tag in teacher.tags if tag not in retired]
    tags = [*kept, *(tag for tag in learned_tags if tag not in kept)]
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    task = LabelTask(
        learn_from,
        stopping,
        versions,
        tags,
        recipe=recipe,
        teacher=teacher.network,
        teacher_tags=teacher.tags,
        check=check,
    )
    network = warm_started(teacher, tags, task.base_rates)
    put_right(network, less=-task.shift)
    start = task.measure(network, -1)

    def after_epoch(history: list[dict[str, float]]) -> None:
        share = _BUILDING + (1 - _BUILDING) * len(history) / recipe.epochs
        told(share, f"Epoch {len(history)} of at most {recipe.epochs} is done", history)
        check()

    told(_BUILDING, "Learning", [])
    watch = Watch("stopping_loss", recipe.patience, after_epoch)
    stands_for = fingerprint(learn_from, stopping, tags, recipe, base=base.identity, device=device)
    average = fit(
        network,
        task,
        recipe=recipe,
        run_dir=run,
        fingerprint=stands_for,
        device=torch.device(device),
        watch=watch,
    )
    saved = Checkpoint(run, fingerprint=stands_for).load(torch.device("cpu"))
    history = saved["history"] if saved else []
    best = history[watch.best(history) - 1]
    if best["stopping_loss"] >= start["stopping_loss"]:
        raise LabelsUnusable(
            "nothing_learned",
            "On singers it did not learn from, training made the model no better than it was "
            f"(cross entropy {best['stopping_loss']:.3f}, {start['stopping_loss']:.3f} before). "
            "The labels may be noise, or too few: look at how far raters agree.",
        )
    trained = cast(TimbreNetwork, average)
    logits = task.stopping_logits(trained)
    labels = label_matrix(stopping, tags)
    temperature = temperature_of(logits, labels, [clip.singer for clip in stopping])
    put_right(trained, less=task.shift, temperature=temperature)
    # What ships has sixteen bits: the figures are those of what ships.
    trained.half().float()
    return _with_figures(
        trained,
        tags,
        learn_from,
        stopping,
        logits / temperature,
        {
            "start": start,
            "best": {name: value for name, value in best.items() if name != "seconds"},
            "best_epoch": watch.best(history),
            "epochs": len(history),
            "temperature": temperature,
        },
    )


def _with_figures(
    network: TimbreNetwork,
    tags: list[str],
    learn_from: list[LabelledClip],
    stopping: list[LabelledClip],
    logits: npt.NDArray[np.float64],
    training: dict[str, Any],
) -> Retrained:
    labels = label_matrix(stopping, tags)
    said = 1 / (1 + np.exp(-logits))
    thresholds, of_tags = {}, {}
    learned, kept_aside = counts(learn_from), counts(stopping)
    for column, tag in enumerate(tags):
        label, answer = labels[:, column], said[:, column]
        known = np.isfinite(label)
        if tag in kept_aside and kept_aside[tag].yes and kept_aside[tag].no:
            thresholds[tag] = round(best_threshold(label, answer), 4)
        of_tags[tag] = {
            "labelled": asdict(learned[tag]) if tag in learned else None,
            "stopping": asdict(kept_aside[tag]) if tag in kept_aside else None,
            "average_precision": average_precision(label, answer),
            "f1": f1(label, answer, thresholds.get(tag, 0.5)),
            "cross_entropy": float(np.mean(entropies(label[known], answer[known])))
            if known.any()
            else None,
        }
    figures = {
        **training,
        "clips": len(learn_from),
        "singers": len({clip.singer for clip in learn_from}),
        "stopping_clips": len(stopping),
        "stopping_singers": len({clip.singer for clip in stopping}),
        "tags": of_tags,
    }
    return Retrained(network, tags, thresholds, figures, learn_from, stopping)
