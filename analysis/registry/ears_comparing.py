"""Comparing candidate ears with those that serve: on held-out music that the candidate declares, or
by people's verdicts on pairs where nothing but the similarity differs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.background import Refused
from analysis.registry import storing, training_data
from analysis.registry.models import ModelComparison, ModelName, ModelVersion, Origin
from analysis.registry.serving import serving_version
from analysis.versions import listen_version

if TYPE_CHECKING:
    from analysis.heart import Heart
    from analysis.training.datasets import MelCorpus
    from analysis.training.verdicts import VerdictFigures

Matrix = npt.NDArray[np.float32]

_NEEDED = ("path", "validation_share", "seed", "excerpts")


def compare_ears(candidate: ModelVersion, *, heart: Heart) -> ModelComparison:
    """Open the music that the candidate's manifest declares, and compare on its held-out part; ears
    of which only the embedding differs are compared by the verdicts given since they were made.

    Raises Refused, in words, where there is no such music, nothing of it is held out or too little
    was said; Lost when it was stopped.
    """
    from analysis.training.ears_training import open_declared
    from analysis.training.labelled_files import UnusableCorpus

    matrix = _similarity_alone(candidate)
    if matrix is not None:
        return _by_verdicts(candidate, matrix)
    declared, data = _declared(candidate)
    if "valid" in str(candidate.manifest["settings"].get("trained_on", "train")).split("+"):
        raise Refused("nothing_held_out", "It has learned from all of its music: none is held out.")
    pictures = training_data.pictures_folder()

    def reading(share: float, message: str) -> None:
        heart.progress(0.8 * share, message)

    try:
        collection = open_declared(declared, data, cache=pictures, told=reading)
    except UnusableCorpus as error:
        raise Refused("music", str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("music", "The manifest does not say how its music was divided.") from error
    heart.progress(0.9, "Comparing")
    return compare_on(candidate, collection.validation)


def compare_on(candidate: ModelVersion, corpus: MelCorpus) -> ModelComparison:
    """Compare on music that the candidate has not learned from, and keep what came of it."""
    from analysis.neural.ears import Ears
    from analysis.neural.weights import read_from
    from analysis.training import ears_comparison

    baseline = _baseline()
    with storing.opened(candidate) as folder:
        new = Ears(read_from(folder, ModelName.EARS))
    with storing.opened(baseline) as folder:
        old = Ears(read_from(folder, ModelName.EARS))
    found = ears_comparison.compare(new, old, corpus)
    return ModelComparison.objects.create(
        candidate=candidate,
        baseline=baseline,
        held_out_sha256=corpus.digest(),
        figures=found.figures,
        mistakes=found.mistakes,
        verdict=found.verdict,
    )


def keep_fit(candidate: ModelVersion, figures: VerdictFigures) -> ModelComparison:
    """The comparison of ears whose embedding has just learned from verdicts: what such a fit is
    worth on artists that it has not seen."""
    from analysis.training.verdict_comparison import of_the_fit

    return _kept(candidate, of_the_fit(figures), judged_sha256=figures.digest)


def _by_verdicts(candidate: ModelVersion, matrix: Matrix) -> ModelComparison:
    from analysis.discovery.verdict_data import judged_pairs
    from analysis.training.verdict_comparison import on_new_verdicts
    from analysis.training.verdicts import TooFewVerdicts

    judged = judged_pairs(listen_version(), since=candidate.created_at)
    try:
        found = on_new_verdicts(judged, matrix)
    except TooFewVerdicts as error:
        raise Refused("verdicts", str(error)) from error
    return _kept(candidate, found, judged_sha256=judged.digest())


def _kept(
    candidate: ModelVersion, found: tuple[str, dict[str, Any]], *, judged_sha256: str
) -> ModelComparison:
    verdict, figures = found
    return ModelComparison.objects.create(
        candidate=candidate,
        baseline=_baseline(),
        held_out_sha256=judged_sha256,
        figures=figures,
        verdict=verdict,
    )


def _baseline() -> ModelVersion:
    baseline = serving_version(ModelName.EARS)
    if baseline is None:
        raise Refused("no_baseline", "There are no ears that serve to compare with.")
    return baseline


def _similarity_alone(candidate: ModelVersion) -> Matrix | None:
    """The map of the embedding, where the candidate differs from what serves by it alone."""
    from analysis.training.verdict_comparison import map_between

    baseline = _baseline()
    if candidate.manifest["settings"] != baseline.manifest["settings"]:
        return None
    with storing.opened(baseline) as old, storing.opened(candidate) as new:
        name = f"{ModelName.EARS}.safetensors"
        return map_between(old / name, new / name)


def _declared(candidate: ModelVersion) -> tuple[dict[str, Any], Path]:
    """What the manifest says of its music, and where that is. An uploaded manifest could name any
    folder of the machine: of these only the operator's folder is opened."""
    declared = candidate.manifest.get("data")
    if not isinstance(declared, dict) or not all(key in declared for key in _NEEDED):
        raise Refused(
            "no_data",
            "Its manifest declares no music to compare on (“data”). Train it with train_genre "
            "--register, or have a superuser promote it with a reason.",
        )
    path = Path(str(declared["path"]))
    if candidate.origin == Origin.TRAINED:
        return declared, path
    try:
        return declared, training_data.path_of(path.name)
    except LookupError as error:
        raise Refused(
            "no_data",
            f"The music that it declares ({path.name[:100]}) is not in the folder for training "
            "data of this site.",
        ) from error
