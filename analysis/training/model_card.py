"""The model card of the ears as Markdown, rendered from their manifest alone.

Every figure comes from ``manifest["figures"]``. What was not measured has no section, so nothing
has to be invented; each section says which weights it was measured on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.training import card_sections as sections
from analysis.training.card_tables import paragraph, share

Manifest = Mapping[str, Any]


def render(manifest: Manifest) -> str:
    """The whole card."""
    figures = manifest["figures"]
    parts = [
        f"# ears {manifest['version']}",
        *_in_a_nutshell(manifest),
        _facts(manifest),
        *evaluated(figures.get("evaluations", {})),
        *_first_figures(figures),
        *sections.features(figures.get("features")),
        *sections.verdicts(figures.get("verdicts")),
        *sections.ladder(figures.get("ladder")),
        _limits(manifest),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def evaluated(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The sections of those evaluations that there are, each with the weights it belongs to."""
    parts = []
    for name, section in sections.EVALUATIONS.items():
        if name in evaluations:
            entry = evaluations[name]
            parts += [*section(entry["figures"]), sections.belongs_to(entry["weights"])]
    return parts


def _in_a_nutshell(manifest: Manifest) -> Iterable[str]:
    """What a label manager needs to know."""
    figures = manifest["figures"]
    labels = manifest["settings"]["labels"]
    yield paragraph(
        "This model listens to a recording and says which of",
        f"{len(labels)} genres it is most like, how sure it is, whether the music is unlike all",
        "that it knows, and which other recordings sound similar.",
        _how_often_right(figures),
        "Take the genre as a well-informed first guess, look at the confidence and the",
        "familiarity before you rely on it, and let your ears decide.",
    )
    yield paragraph(
        "For engineers: a ResNet18 on one-channel mel pictures of 9.9 s with a linear genre head",
        "and a projection to 128 dimensions trained with triplet loss; one pass serves all.",
        _listener_beside(manifest["settings"]),
    )


def _listener_beside(settings: Mapping[str, Any]) -> str:
    if "tagger" not in settings:
        return ""
    pictures = "; it hears patches of pictures without sound, too, retrained for that"
    return (
        "Where there is sound, a tagger hears patches of 3 s of it besides"
        f"{pictures if _hears_pictures(settings) else ''}."
    )


def _hears_pictures(settings: Mapping[str, Any]) -> bool:
    return "picture_temperature" in settings


def _how_often_right(figures: Mapping[str, Any]) -> str:
    if "accuracy" not in figures:
        return ""
    said = (
        f"On music by artists it had never heard it was right about "
        f"{round(100 * figures['accuracy'])} times in 100"
    )
    recall = figures.get("recall")
    if not recall:
        return said + "."
    best, worst = max(recall, key=recall.__getitem__), min(recall, key=recall.__getitem__)
    return (
        f"{said}: most often for {best} ({round(100 * recall[best])} in 100), least often for "
        f"{worst} ({round(100 * recall[worst])} in 100)."
    )


def _facts(manifest: Manifest) -> str:
    settings, tracks = manifest["settings"], manifest["figures"].get("tracks", {})
    lines = [f"- **Genres:** {', '.join(settings['labels'])}."]
    data = f"- **Data:** {manifest['source']}"
    if tracks:
        data += (
            f" {tracks['train']} tracks for training, {tracks['validation']} for validation; no "
            "artist stands in both."
        )
    lines.append(data)
    if "trained_on" in settings:
        lines.append(f"- **These weights were trained on:** {_trained_on(settings['trained_on'])}")
    if settings.get("trunk") == "kept":
        lines.append(
            "- **Trunk:** learned from music without genre labels and kept as it was; what was "
            "fitted on labelled tracks are the heads."
        )
    if "tagger" in settings:
        lines.append(
            "- **Beside the trunk, on sound:** the MusiCNN tagger (Pons & Serra 2019, "
            f"{settings['tagger']}, ISC, read from the package `musicnn`). Genre logits are those "
            "of both listeners, added up; the embedding is a linear map of both vectors. A linear "
            "discriminant and that map were fitted on the sound that there is of labelled tracks; "
            "how much each listener counts, and the temperature of both together "
            f"({settings['sound_temperature']:.3f}), on that of held-out ones. "
            + (
                ""
                if _hears_pictures(settings)
                else "Pictures without sound are heard by the trunk alone, and their embeddings "
                "are in a space of their own."
            )
        )
    if _hears_pictures(settings):
        two = "yamnet" in settings.get("picture_taggers", ())
        retrained = (
            "the same tagger and YAMNet (Plakal & Ellis 2020; AudioSet; Apache-2.0), each"
            if two
            else "the same tagger,"
        )
        lines.append(
            f"- **Beside the trunk, on pictures without sound:** {retrained} retrained on music of "
            "which there are both to answer from the picture as it did from the sound "
            "(`manage.py pretrain_trunk --only-teacher`), without a genre label or a validation "
            "track. The weights are part of the file "
            f"({'licences in' if two else 'ISC,'} `ears.licence.txt`). What is added is fitted as "
            "on sound, on the pictures of labelled tracks; of what MusiCNN hears in them the "
            "discriminant for sound learns, too. Temperature of all together "
            f"{settings['picture_temperature']:.3f}. Embeddings of pictures are in a space of "
            "their own."
        )
    if settings.get("also_heard"):
        lines.append(f"- **Also heard in training:** {', '.join(settings['also_heard'])}.")
    trunk = manifest.get("recipe", {}).get("trunk", {})
    made = "- **Made by:** `manage.py train_genre`"
    made += "".join(
        f", {name} {trunk[name]}" if name == "seed" else f", {trunk[name]} {name}"
        for name in ("seed", "epochs")
        if name in trunk
    )
    lines.append(f"{made}. Measured by `manage.py evaluate_ears`.")
    if "temperature" in settings:
        lines.append(f"- **Temperature that ships:** {settings['temperature']:.3f}.")
    lines.append(
        f"- **Licence of the weights:** {manifest['licence']}. No recording or picture of the "
        "corpus is part of them."
    )
    return "\n".join(paragraph(line, indent="  ") for line in lines)


def _trained_on(told: str | Sequence[str]) -> str:
    if not isinstance(told, str):
        return f"{len(told)} tracks, listed in the manifest."
    if told == "train":
        return "the training tracks; the validation tracks are held out."
    return (
        f"{' and '.join(told.split('+'))} together. Figures below that need held-out tracks come "
        "from a run of the same recipe on the training tracks alone, and say so."
    )


def _first_figures(figures: Mapping[str, Any]) -> list[str]:
    """What training itself measured, where no evaluation of the same name stands in its place."""
    evaluations = figures.get("evaluations", {})
    parts = []
    if "genre" not in evaluations and "accuracy" in figures:
        parts += ["## Genre", sections.recall_table(figures["recall"])]
        parts.append(
            paragraph(
                f"Accuracy **{figures['accuracy']:.3f}**. Expected calibration error over 15 bins",
                f"{figures['ece_15_bins_cross_fitted']:.3f}, with the temperature fitted on other",
                "artists. Measured at the end of training, on the validation tracks.",
            )
        )
    if "similarity" not in evaluations and "similarity" in figures:
        parts += ["## Similarity", sections.space_table(figures["similarity"])]
    return parts


def _limits(manifest: Manifest) -> str:
    n_genres = len(manifest["settings"]["labels"])
    tracks = manifest["figures"].get("tracks", {})
    few = f" and {tracks['train']} training tracks" if tracks else ""
    # Written out by hand: what no figure shows.
    old = ", most of them recorded before 2001: today's styles are outside of it"
    age = old if "GTZAN" in manifest["source"] else ""
    return "\n".join(
        [
            "## Limits",
            "",
            paragraph(
                f"- {n_genres} genres{few}{age}. A genre that is not in the list cannot be named.",
                indent="  ",
            ),
            paragraph(
                "- Trained on spectrogram pictures of 30 s excerpts scaled track by track:",
                "absolute level is not heard, nor anything above 11 kHz.",
                indent="  ",
            ),
            paragraph(
                "- The confidence is calibrated for music like the corpus only; look at the",
                "familiarity first.",
                indent="  ",
            ),
            paragraph(
                "- The corpus has few artists per genre. Intervals resample artists for that",
                f"reason, and {share(0.95)} intervals of a few dozen artists are wide.",
                indent="  ",
            ),
        ]
    )
