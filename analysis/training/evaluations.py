"""Everything that is measured of the ears, by name, and its way into their manifest and card."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from analysis.neural.listener import ListeningNetwork
from analysis.training import explanation_checks, model_card, protocols
from analysis.training.clip_figures import audio_figures, clip_figures
from analysis.training.datasets import MelCorpus, load_gtzan
from analysis.training.fold_figures import by_folds
from analysis.training.genre_figures import genre
from analysis.training.genre_head import KEPT_TRUNK
from analysis.training.held_out import HeldOut, Judge, NothingHeldOut, held_out, subset, together
from analysis.training.recordings import recordings, sound_of
from analysis.training.retrieval import Pictures, retrieval
from analysis.training.robustness import robustness
from analysis.training.similarity import similarity

SPLITS = ("train", "valid")
_EXPLAINED_TRACKS = 60


@dataclass(frozen=True)
class Bench:
    """What evaluations need: judges, the corpus by split, and folders.

    ``data`` holds ``gtzan_mel``, ``gtzan_audio`` and ``gtzan_clips``; ``run_dir`` keeps what can be
    kept between runs; ``music`` names folders of other music, ``beside`` such as is only searched,
    not searched for; ``peer`` is the checkpoint of MusiCNN.
    """

    judges: list[Judge]
    splits: dict[str, MelCorpus]
    data: Path
    run_dir: Path
    music: Mapping[str, Path] = field(default_factory=dict)
    beside: Mapping[str, Path] = field(default_factory=dict)
    peer: Path | None = None

    @cached_property
    def everything(self) -> MelCorpus:
        """All splits together."""
        return together(self.splits)

    @cached_property
    def held_out(self) -> HeldOut:
        """Tracks that a judge has not seen; raises NothingHeldOut."""
        return held_out(self.judges, self.everything)


def load_splits(data: Path) -> dict[str, MelCorpus]:
    """The corpus's pictures by split. Raises FileNotFoundError, KeyError or ValueError."""
    return {split: load_gtzan(data / "gtzan_mel", split) for split in SPLITS}


def _sound(bench: Bench) -> dict[str, Any]:
    corpus = bench.everything
    labels = dict(zip(corpus.ids, corpus.labels.tolist(), strict=True))
    return {
        "audio": audio_figures(bench.held_out, _files(bench, "gtzan_audio")),
        "clips": clip_figures(
            bench.held_out,
            _files(bench, "gtzan_clips"),
            peer_folder=bench.peer,
            labels_of_seen=labels,
        ),
    }


def _robustness(bench: Bench) -> Any:
    return robustness(bench.held_out, _files(bench, "gtzan_audio"))


def _retrieval(bench: Bench) -> Any:
    judge = bench.judges[0]
    hears_sound = judge.ears.network.companion is not None
    found = recordings(
        judge,
        bench.splits,
        audio=bench.data / "gtzan_audio",
        clips=bench.data / "gtzan_clips" if hears_sound else None,
        other=bench.music,
        beside=bench.beside,
    )
    pictures = Pictures(bench.run_dir / "pictures", tag=judge.ears.tag)
    return retrieval(judge.ears, found, pictures=pictures)


def _explanations(bench: Bench) -> dict[str, Any]:
    judge, rows = next(bench.held_out.by_judge())
    few = np.linspace(0, rows.size - 1, min(_EXPLAINED_TRACKS, rows.size)).astype(int)
    chosen = subset(bench.held_out.corpus, rows[few])
    pictures = list(chosen.pictures())
    return {
        "deletion": explanation_checks.deletion(judge.ears, pictures),
        "sanity": explanation_checks.sanity(judge.ears, pictures),
    }


def _leaky(bench: Bench) -> Any:
    return protocols.leaky(bench.everything, _untaught_trunk(bench))


def _untaught_trunk(bench: Bench) -> ListeningNetwork:
    """A network whose trunk knows nothing of the labels; raises NothingHeldOut for another one."""
    ears = bench.judges[0].ears
    if ears.weights.settings.get("trunk") != KEPT_TRUNK:
        raise NothingHeldOut("the trunk has learned from genre labels that must be new to it here")
    return ears.network


def _folds(bench: Bench) -> Any:
    return by_folds(_untaught_trunk(bench), bench.splits["train"], bench.splits["valid"])


def _familiarity(bench: Bench) -> Any:
    fit = protocols.familiarity_on(_untaught_trunk(bench))
    return protocols.one_genre_left_out(bench.splits["train"], bench.splits["valid"], fit)


def _files(bench: Bench, folder: str) -> dict[str, Path]:
    files = sound_of(bench.data / folder)
    if not files:
        raise FileNotFoundError(f"{bench.data / folder} holds no FLAC files")
    return files


EVALUATIONS: dict[str, Callable[[Bench], Any]] = {
    "genre": lambda bench: genre(bench.held_out),
    "folds": _folds,
    "sound": _sound,
    "robustness": _robustness,
    "similarity": lambda bench: similarity(bench.held_out),
    "retrieval": _retrieval,
    "explanations": _explanations,
    "familiarity": _familiarity,
    "leaky": _leaky,
}


def plain(figures: Any) -> Any:
    """Dataclasses as dictionaries, numbers with four decimals or None: what a manifest holds."""
    if hasattr(figures, "__dataclass_fields__"):
        return plain(asdict(figures))
    if isinstance(figures, Mapping):
        return {key: plain(value) for key, value in figures.items()}
    if isinstance(figures, float):
        return round(figures, 4) if math.isfinite(figures) else None
    return figures


def provenance(
    name: str, judges: Sequence[Judge], manifest: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Which weights an evaluation's figures belong to, seen from the manifest they are put in."""
    if name in ("folds", "retrieval", "familiarity", "leaky"):
        judges = judges[:1]
    weights = [judge.ears.weights for judge in judges]
    served = manifest is None or [one.sha256 for one in weights] == [manifest["sha256"]]
    role = "cross-validation" if len(weights) > 1 else "validation run"
    recipes = [
        json.loads(one.path.with_suffix(".json").read_text(encoding="utf-8")).get("recipe")
        for one in weights
    ]
    return {
        "role": "these very weights" if served else role,
        "identities": [one.identity for one in weights],
        "trained_on": [judge.trained_on for judge in judges],
        "same_recipe": served or all(one == (manifest or {}).get("recipe") for one in recipes),
    }


def update(
    manifest_file: Path, results: Mapping[str, Any], judges: Sequence[Judge]
) -> dict[str, Any]:
    """Put results (plain figures by evaluation) into a manifest and render its card anew.

    Accuracy, recall and calibration error, which the pages show, follow the genre evaluation, so
    that page and card say the same. Returns the manifest.
    """
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    figures = manifest.setdefault("figures", {})
    evaluations = figures.setdefault("evaluations", {})
    for name, result in results.items():
        evaluations[name] = {"weights": provenance(name, judges, manifest), "figures": result}
    if "genre" in results:
        told = results["genre"]
        figures["accuracy"] = told["accuracy"]["mean"]
        figures["recall"] = told["recall"]
        figures["ece_15_bins_cross_fitted"] = told["calibration"]["ece"]
    if "similarity" in results:
        figures["similarity"] = results["similarity"]["spaces"]
    document = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    card = model_card.render(json.loads(document))
    manifest_file.write_text(document, encoding="utf-8")
    manifest_file.with_suffix(".md").write_text(card, encoding="utf-8")
    return manifest
