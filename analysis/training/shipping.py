"""From a trained run to the files that the product loads: weights, manifest, model card."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from analysis.neural import familiarity, tagger_weights
from analysis.neural.listener import ListeningNetwork
from analysis.neural.weights import write_manifest
from analysis.training import evaluation, model_card
from analysis.training.companion_heads import (
    Agreement,
    agree,
    answers_of_both,
    apply,
    fit_companion,
)
from analysis.training.datasets import MelCorpus
from analysis.training.evaluation import unit
from analysis.training.genre import hear_tracks
from analysis.training.head_shipping import as_kept
from analysis.training.heads import EmbeddingRecipe, fit_temperature, train_embedding_head
from analysis.training.held_out import together
from analysis.training.similarity import mel_statistics, standardised

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Evaluated:
    """A trained network with what was fitted and measured on the validation tracks."""

    network: ListeningNetwork
    temperature: float
    known: familiarity.Familiarity
    figures: dict[str, Any]
    agreement: Agreement | None = None  # with the companion, if the network has one


@dataclass(frozen=True)
class Sounds:
    """Tracks of which a tagger heard the sound: to learn from, and held out."""

    train: MelCorpus
    validation: MelCorpus


@dataclass(frozen=True)
class Provenance:
    """What the manifest says of how weights were made.

    ``trained_on`` names the splits ("train", "train+valid") or lists the ids that the weights have
    seen: held-out figures are refused for these. ``trunk`` is "kept" where the trunk has not
    learned from the labels, else "tuned". ``data`` is how the collection is opened again.
    """

    version: str
    source: str
    recipe: dict[str, Any]
    trained_on: str | list[str] = "train"
    trunk: str = "tuned"
    data: dict[str, Any] | None = None


def fit_and_measure(
    network: ListeningNetwork,
    train: MelCorpus,
    validation: MelCorpus,
    *,
    recipe: EmbeddingRecipe,
    sounds: Sounds | None = None,
) -> Evaluated:
    """Fit embedding head, temperature and familiarity, and take the figures of the card; with
    ``sounds``, a companion's heads, too. Figures are those of both listeners where the validation
    tracks themselves were tagged.

    Temperature is fitted on the validation tracks, so their calibration error would flatter. It is
    therefore measured cross-fitted: each half with the temperature fitted on the other, halves
    divided by artist.
    """
    train_embedding_head(network, train, recipe=recipe)
    _, train_pooled, _ = hear_tracks(network, train.mel, device=_CPU)
    logits, pooled, embeddings = hear_tracks(network, validation.mel, device=_CPU)
    temperature = fit_temperature(logits, validation.labels)
    known = familiarity.fit(train_pooled, train.labels, pooled)
    probabilities = _softmax(logits / temperature)
    agreement = None
    if sounds is not None:
        heads = network.companion = fit_companion(network, sounds.train)
        agreement = agree(network, heads, sounds.validation)
        apply(heads, agreement)
        if sounds.validation is validation:
            logits, embeddings = answers_of_both(network, heads, validation)
            probabilities = _softmax(logits / agreement.temperature)
    genres = [validation.names[index] for index in validation.labels]
    stats = standardised(mel_statistics(validation.mel))
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(embeddings.shape).astype(np.float32)
    spaces = {
        "embedding": embeddings,
        "penultimate": unit(pooled),
        "mel_statistics": stats,
        "random": unit(noise),
    }
    figures = {
        "tracks": {"train": len(train), "validation": len(validation)},
        "accuracy": evaluation.accuracy(probabilities, validation.labels),
        "recall": evaluation.recall_by_class(probabilities, validation.labels, validation.names),
        "ece_15_bins_cross_fitted": _cross_fitted_ece(logits, validation),
        "similarity": {
            name: {
                "triplet_accuracy_by_artist": evaluation.triplet_accuracy(
                    vectors, validation.artists
                ),
                "artist_hit_at_10": evaluation.hit_rate(vectors, validation.artists),
                "genre_map": evaluation.mean_average_precision(vectors, genres),
            }
            for name, vectors in spaces.items()
        },
    }
    return Evaluated(network, temperature, known, figures, agreement)


def refit_on_all(
    evaluated: Evaluated,
    network: ListeningNetwork,
    everything: MelCorpus,
    *,
    recipe: EmbeddingRecipe,
    sounds: Sounds | None = None,
) -> Evaluated:
    """A network that has learned from the validation tracks, too, to ship in the place of the one
    that was measured.

    Temperature, agreement, familiarity and figures stay those of the measured one: there is nothing
    left to take them on.
    """
    train_embedding_head(network, everything, recipe=recipe)
    if sounds is not None and evaluated.agreement is not None:
        everywhere = together({"train": sounds.train, "valid": sounds.validation})
        network.companion = fit_companion(network, everywhere)
        apply(network.companion, evaluated.agreement)
    return replace(evaluated, network=network)


def ship(evaluated: Evaluated, *, folder: Path, labels: list[str], made: Provenance) -> Path:
    """Write ``ears.safetensors`` (fp16), ``ears.json`` and ``ears.md``; returns the manifest."""
    settings: dict[str, Any] = {
        "labels": labels,
        "temperature": evaluated.temperature,
        "trained_on": made.trained_on,
        "trunk": made.trunk,
    }
    if evaluated.agreement is not None:
        settings["sound_temperature"] = evaluated.agreement.temperature
        settings["tagger"] = tagger_weights.identity()
    tensors = {name: as_kept(name, value) for name, value in evaluated.network.state_dict().items()}
    # In full precision: small eigenvalues make large numbers.
    for name, value in evaluated.known.arrays().items():
        tensors[f"familiarity.{name}"] = torch.from_numpy(value)
    weights_file = folder / "ears.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, weights_file)
    manifest = folder / "ears.json"
    write_manifest(
        manifest,
        weights_file=weights_file,
        version=made.version,
        licence="MIT",
        source=made.source,
        settings=settings,
        figures=_rounded(evaluated.figures),
        recipe=made.recipe,
        **({} if made.data is None else {"data": made.data}),
    )
    card = model_card.render(json.loads(manifest.read_text(encoding="utf-8")))
    (folder / "ears.md").write_text(card, encoding="utf-8")
    return manifest


def _cross_fitted_ece(logits: np.ndarray, corpus: MelCorpus) -> float:
    names = sorted(set(corpus.artists))
    half = np.array([names.index(artist) % 2 for artist in corpus.artists])
    probabilities = np.empty_like(logits)
    for side in (0, 1):
        temperature = fit_temperature(logits[half != side], corpus.labels[half != side])
        probabilities[half == side] = _softmax(logits[half == side] / temperature)
    return evaluation.expected_calibration_error(probabilities, corpus.labels)


def _softmax(logits: np.ndarray) -> np.ndarray:
    return functional.softmax(torch.from_numpy(logits), dim=1).numpy()


def _rounded(value: Any) -> Any:
    """Four decimals; what is not a number (nothing to measure it on) becomes None."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
