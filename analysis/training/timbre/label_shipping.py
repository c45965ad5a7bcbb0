"""From a retrained timbre network to the files that the product loads: weights, manifest, card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.neural.weights import Weights, write_manifest
from analysis.training.timbre.label_task import LabelRecipe
from analysis.training.timbre.labelled import NO_UPTO, YES_FROM
from analysis.training.timbre.retraining import Retrained
from analysis.training.timbre.shipping import PEOPLE, rounded, save_weights
from analysis.training.timbre.weak_labels import FORMULAS


def ship_retrained(
    trained: Retrained,
    *,
    folder: Path,
    base: Weights,
    recipe: LabelRecipe,
    version: str,
    snapshot: str,
    code_version: str,
) -> Path:
    """Write ``timbre.safetensors`` (fp16), ``timbre.json``, ``timbre.md``; returns the second.

    What the measures are compared with (reference voices) stays what it was in ``base``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights_file = save_weights(trained.network, folder)
    figures = rounded(trained.figures)
    kept = ("standings", "reference_voices")
    settings: dict[str, Any] = {
        **{key: base.settings[key] for key in kept if key in base.settings},
        "tags": trained.tags,
        # A tag without a formula has no measures that speak for it.
        "formulas": {tag: FORMULAS.get(tag, {}) for tag in trained.tags},
        "labels": PEOPLE if _all_by_people(figures) else "mixed",
        "labelled_clips": figures["clips"] + figures["stopping_clips"],
        "thresholds": trained.thresholds,
    }
    source = (
        f"{_first_source(base.source)}; then {settings['labelled_clips']} clips labelled by people"
    )
    manifest = folder / "timbre.json"
    write_manifest(
        manifest,
        weights_file=weights_file,
        version=version,
        licence="MIT",
        source=source,
        settings=settings,
        figures=figures,
        recipe=asdict(recipe),
        base=base.identity,
        snapshot=snapshot,
        code_version=code_version,
    )
    (folder / "timbre.md").write_text(
        _card(
            settings,
            figures,
            version=version,
            source=_first_source(base.source),
            recipe=recipe,
            base=base.identity,
            snapshot=snapshot,
            code_version=code_version,
        ),
        encoding="utf-8",
    )
    return manifest


def _first_source(source: str) -> str:
    """What was heard before anybody labelled anything: labels are learned anew each time."""
    return source.partition("; then ")[0]


def _all_by_people(figures: Mapping[str, Any]) -> bool:
    return all(entry["labelled"] for entry in figures["tags"].values())


def _card(
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    *,
    version: str,
    source: str,
    recipe: LabelRecipe,
    base: str,
    snapshot: str,
    code_version: str,
) -> str:
    by_people = [tag for tag, entry in figures["tags"].items() if entry["labelled"]]
    others = [tag for tag in settings["tags"] if tag not in by_people]
    rows = [
        f"| {tag} | {_counts(entry['labelled'])} | {_counts(entry['stopping'])} | "
        f"{_figure(entry['average_precision'])} | {_figure(entry['f1'])} | "
        f"{_figure(settings['thresholds'].get(tag))} | {_figure(entry['cross_entropy'])} |"
        for tag, entry in figures["tags"].items()
    ]
    best, start = figures["best"], figures["start"]
    direction = (
        f" Of the known changes (breath, distortion, shelves) of these clips it moves the tag the "
        f"right way in {best['right_direction']:.1%}; before, {start['right_direction']:.1%}."
        if "right_direction" in best
        else ""
    )
    return "\n".join(
        [
            f"# timbre {version}",
            "",
            "This model listens to a voice and says how much it is like each of these tags: "
            + ", ".join(settings["tags"])
            + ". It hears clips of 3 to 5 s, and marks the moments that a tag owes most to.",
            "",
            f"**People labelled {', '.join(by_people)}**"
            + (
                f"; nobody labelled {', '.join(others)} enough, so there it says what the model "
                "before it said, which learned from formulas over measures."
                if others
                else "."
            ),
            "",
            "## Data",
            "",
            f"- {figures['clips']} labelled clips by {figures['singers']} singers to learn from, "
            f"and {figures['stopping_clips']} by {figures['stopping_singers']} other singers to "
            "know when to stop. Singers that are held out for comparing models are in neither.",
            "- A label is the share of raters who said yes, so disagreement is kept. A clip counts "
            f"as yes from {YES_FROM:g} on and as no up to {NO_UPTO:g}.",
            f"- Snapshot of the labels: `{snapshot}`.",
            f"- Heard before that: {source}.",
            "",
            "## Made by",
            "",
            f"- Starting from `{base}`, by the training code `{code_version}`, seed {recipe.seed}.",
            f"- Cross entropy on soft labels, classes weighed (at most {recipe.most_class_weight:g}"
            " to 1, and taken out of the answers again); a ranking loss on known changes "
            f"({recipe.ranking:g}); what `{base}` says where people said nothing "
            f"({recipe.weak:g}).",
            f"- {figures['epochs']} epochs; the one that served best on the stopping singers is "
            f"number {figures['best_epoch']}. Temperature {figures['temperature']:.2f}.",
            "",
            "## On the singers by which it stopped",
            "",
            f"Cross entropy {best['stopping_loss']:.3f}; the model before, "
            f"{start['stopping_loss']:.3f} (for a new tag: always its share of yes).{direction}",
            "",
            "| tag | learned from | stopped by | average precision | F1 | at | cross entropy |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "Thresholds, temperature and the epoch were chosen on these very singers: the figures "
            "flatter. The comparison on held-out singers, beside the version on this site's page, "
            "is the one to trust.",
            "",
            "## Limits",
            "",
            "- It knows what this site's raters heard in its singers. Tags are words: other "
            "people may mean something else by them.",
            "- Few singers, few styles. Separated voices carry traces of their music. Voices "
            "without any pitch (a whisper) are not taken for singing.",
            "- **Licence of the weights:** MIT. No recording is part of them.",
            "",
        ]
    )


def _counts(count: Mapping[str, int] | None) -> str:
    if not count:
        return "none"
    return f"{count['yes']} yes, {count['no']} no, {count['divided']} divided"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
