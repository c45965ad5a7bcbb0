"""From a trained run to the files that the product loads: weights, manifest, model card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from analysis.neural import familiarity
from analysis.neural.listener import ListeningNetwork
from analysis.neural.weights import write_manifest
from analysis.training import evaluation, model_card
from analysis.training.datasets import MelCorpus
from analysis.training.genre import Recipe, hear_tracks
from analysis.training.heads import EmbeddingRecipe, fit_temperature, train_embedding_head

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Evaluated:
    """A trained network with what was fitted and measured on the validation tracks."""

    network: ListeningNetwork
    temperature: float
    known: familiarity.Familiarity
    figures: dict[str, Any]


def fit_and_measure(
    network: ListeningNetwork,
    train: MelCorpus,
    validation: MelCorpus,
    *,
    recipe: EmbeddingRecipe,
) -> Evaluated:
    """Fit embedding head, temperature and familiarity, and take the figures of the card.

    Temperature is fitted on the validation tracks, so their calibration error would flatter. It is
    therefore measured cross-fitted: each half with the temperature fitted on the other, halves
    divided by artist.
    """
    train_embedding_head(network, train, recipe=recipe)
    _, train_pooled, _ = hear_tracks(network, train.mel, device=_CPU)
    logits, pooled, embeddings = hear_tracks(network, validation.mel, device=_CPU)
    temperature = fit_temperature(logits, validation.labels)
    known = familiarity.fit(
        (familiarity.mel_statistics(train.mel), train_pooled),
        train.labels,
        (familiarity.mel_statistics(validation.mel), pooled),
    )
    probabilities = _softmax(logits / temperature)
    genres = [validation.names[index] for index in validation.labels]
    stats = _mel_statistics(validation.mel)
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(embeddings.shape).astype(np.float32)
    spaces = {
        "embedding": embeddings,
        "penultimate": _unit(pooled),
        "mel_statistics": stats,
        "random": _unit(noise),
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
    return Evaluated(network, temperature, known, figures)


def ship(
    evaluated: Evaluated,
    *,
    folder: Path,
    labels: list[str],
    version: str,
    source: str,
    recipe: Recipe,
    embedding_recipe: EmbeddingRecipe,
    trained_on: str | list[str] = "train",
) -> Path:
    """Write ``ears.safetensors`` (fp16), ``ears.json`` and ``ears.md``; returns the manifest.

    ``trained_on`` names the splits ("train", "train+valid") or lists the ids that the weights have
    seen: held-out figures are refused for these.
    """
    tensors = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in evaluated.network.state_dict().items()
    }
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
        version=version,
        licence="MIT",
        source=source,
        settings={
            "labels": labels,
            "temperature": evaluated.temperature,
            "trained_on": trained_on,
        },
        figures=_rounded(evaluated.figures),
        recipe={"trunk": asdict(recipe), "embedding": asdict(embedding_recipe)},
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


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _mel_statistics(mel: np.ndarray) -> np.ndarray:
    """Mean and deviation of each mel band, standardised: what needs no learning."""
    stats = familiarity.mel_statistics(mel)
    return _unit((stats - stats.mean(0)) / (stats.std(0) + 1e-6)).astype(np.float32)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
