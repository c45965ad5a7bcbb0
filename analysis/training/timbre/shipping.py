"""From a trained timbre network to the files that the product loads: weights, manifest, card."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from analysis.neural.timbre.network import TimbreNetwork
from analysis.neural.timbre.reference_voices import ReferenceVoices
from analysis.neural.weights import write_manifest
from analysis.sound.voice.measures import NAMES
from analysis.training.timbre.figures import described
from analysis.training.timbre.groups import Group
from analysis.training.timbre.task import TimbreRecipe
from analysis.training.timbre.weak_labels import FORMULAS, Standings

WEAK = "weak"
PEOPLE = "people"


def reference_measures(groups: list[Group]) -> np.ndarray:
    """Measures (clips, len(NAMES)) of the unchanged recordings of reference voices."""
    return np.stack([group.measures[0] for group in _references(groups)])


def _references(groups: list[Group]) -> list[Group]:
    return [group for group in groups if group.is_original and group.is_reference]


def ship(
    network: TimbreNetwork,
    *,
    folder: Path,
    tags: list[str],
    standings: Standings,
    train: list[Group],
    figures: dict[str, Any],
    recipe: TimbreRecipe,
    version: str,
    source: str,
) -> Path:
    """Write ``timbre.safetensors`` (fp16), ``timbre.json``, ``timbre.md``; returns the second."""
    folder.mkdir(parents=True, exist_ok=True)
    weights_file = save_weights(network, folder)
    originals = _references(train)
    singers = len({group.singer for group in originals})
    labelled = sum(1 for group in originals if group.labels)
    reference = ReferenceVoices.of(NAMES, reference_measures(train), singers=singers)
    settings = {
        "tags": tags,
        "formulas": {tag: FORMULAS[tag] for tag in tags if tag in FORMULAS},
        "labels": PEOPLE if labelled == len(originals) else WEAK if not labelled else "mixed",
        "labelled_clips": labelled,
        **standings.settings(),
        **reference.settings(),
    }
    manifest = folder / "timbre.json"
    write_manifest(
        manifest,
        weights_file=weights_file,
        version=version,
        licence="MIT",
        source=source,
        settings=settings,
        figures=rounded(figures),
        recipe=asdict(recipe),
    )
    (folder / "timbre.md").write_text(
        _card(settings, rounded(figures), version=version, source=source), encoding="utf-8"
    )
    return manifest


def save_weights(network: TimbreNetwork, folder: Path) -> Path:
    """Write ``timbre.safetensors`` with sixteen bits; returns its path."""
    weights_file = folder / "timbre.safetensors"
    tensors = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_file(tensors, weights_file)
    weights_file.chmod(0o644)
    return weights_file


def _card(settings: dict[str, Any], figures: dict[str, Any], *, version: str, source: str) -> str:
    reference = settings["reference_voices"]
    if settings["labels"] == WEAK:
        labels = (
            "**Nobody labelled these voices.** The labels are weak: formulas over measures "
            "(`analysis/training/timbre/weak_labels.py`), and changes made on purpose whose effect "
            "is known. A tag at 0.5 means: like the middle of the reference voices. Whether a "
            "listener would say the same is not known; the evidence beside each tag is there so "
            "that you can judge for yourself."
        )
    else:
        labels = (
            f"{settings['labelled_clips']} of {reference['clips']} clips were labelled by people; "
            "the other labels are weak: formulas over measures, and known changes."
        )
    formulas = [
        f"| {tag} | " + ", ".join(f"{weight:+g} {name}" for name, weight in formula.items()) + " |"
        for tag, formula in settings["formulas"].items()
    ]
    return "\n".join(
        [
            f"# timbre {version}",
            "",
            "This model listens to a voice and says how much it is like each of these tags: "
            + ", ".join(settings["tags"])
            + ". It hears clips of 3 to 5 s, and marks the moments that a tag owes most to.",
            "",
            labels,
            "",
            "For engineers: 40 MFCC at 32 kHz every 5 ms with deltas, normalised per coefficient; "
            "convolutions over time; attention over time and a sigmoid per tag. Trained with cross "
            "entropy on soft labels and a ranking loss on pairs of a clip and its changed self.",
            "",
            f"- **Heard in training:** {source}. {reference['clips']} clips by "
            f"{reference['singers']} singers, each in several changed versions.",
            "- **Limits:** few singers, and few styles: no opera, hardly any growls or screams but "
            "those made by changing other voices. Separated voices carry traces of their music. "
            "Voices without any pitch (a whisper) are not taken for singing.",
            "- **Made by:** `manage.py train_timbre`. Measured by `manage.py evaluate_timbre`.",
            "- **Licence of the weights:** MIT. No recording is part of them.",
            "",
            "## Weak labels",
            "",
            "| tag | weighted sum of standings among the reference voices |",
            "| --- | --- |",
            *formulas,
            "",
            "## On singers it never heard",
            "",
            described(figures),
            "",
            "Training draws how strong its changes are; these are fixed ones within its ranges. "
            "The singers are none of training's. The last table compares with weak labels only: it "
            "says how well the network learned the formulas, not how well they describe voices.",
            "",
        ]
    )


def rounded(value: Any) -> Any:
    """For JSON: four decimals, and None for what is no number."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
