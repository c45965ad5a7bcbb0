"""Reads for the pages and commands of the models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.background import UNDER_WAY, WorkState
from analysis.neural import weights
from analysis.neural.weights import WeightsUnavailable
from analysis.registry import retagging, serving, storing
from analysis.registry.models import (
    ComparisonRun,
    ModelComparison,
    ModelName,
    ModelVersion,
    Origin,
    RetaggingRun,
    ServingChange,
    TrainingRun,
)

SHOWN_CHANGES = 50
SHOWN_RUNS = 12


@dataclass(frozen=True)
class Running:
    """What runs on this machine. ``identity`` is None while nothing usable is there; ``overridden``
    is the operator's manifest that comes before every version; ``differs`` is True where it is not
    what shall serve."""

    identity: str | None
    overridden: Path | None
    differs: bool


@dataclass(frozen=True)
class ModelState:
    """One model at a glance."""

    model: str
    label: str
    serving: ModelVersion | None
    change: ServingChange | None
    running: Running
    candidates: Sequence[ModelVersion]
    runs: Sequence[TrainingRun]
    retagging: RetaggingRun | None
    back_to: ModelVersion | None

    @property
    def is_at_work(self) -> bool:
        """Whether something is under way that changes by itself."""
        retagging_runs = self.retagging is not None and self.retagging.state in UNDER_WAY
        return bool(self.runs) or retagging_runs


@dataclass(frozen=True)
class Row:
    """A version in the history, with what decides about it."""

    version: ModelVersion
    comparison: ModelComparison | None
    comparing: ComparisonRun | None
    refusal: str | None


def overview() -> list[ModelState]:
    """All models."""
    return [state_of(model) for model in ModelName.values]


def state_of(model: str) -> ModelState:
    """One model: what serves, who waits, what is under way."""
    version = serving.serving_version(model)
    served = ServingChange.objects.filter(model=model).values_list("after_identity", flat=True)
    candidates = ModelVersion.objects.filter(model=model, is_serving=False)
    return ModelState(
        model=model,
        label=ModelName(model).label,
        serving=version,
        change=ServingChange.objects.filter(model=model).select_related("by").first(),
        running=running(model, version),
        candidates=list(
            candidates.exclude(identity__in=list(served)).exclude(origin=Origin.SHIPPED)
        ),
        runs=list(TrainingRun.objects.filter(model=model, state__in=UNDER_WAY)),
        retagging=retagging.newest_run(model),
        back_to=serving.rollback_target(model),
    )


def running(model: str, shall: ModelVersion | None) -> Running:
    """What this machine runs of a model."""
    try:
        identity = weights.find(model).identity
    except (WeightsUnavailable, KeyError, ValueError, OSError):
        identity = None
    overridden = serving.override(model)
    return Running(
        identity=identity,
        overridden=overridden,
        differs=overridden is None and shall is not None and identity != shall.identity,
    )


def history(model: str) -> list[Row]:
    """All versions of a model, the newest first; four queries, however many there are."""
    versions = list(
        ModelVersion.objects.filter(model=model)
        .select_related("created_by", "trained_by")
        .order_by("-created_at", "-pk")
    )
    newest: dict[object, ModelComparison] = {}
    deciding: dict[object, ModelComparison] = {}
    for found in (
        ModelComparison.objects.filter(candidate__in=versions)
        .select_related("baseline")
        .defer("mistakes")
        .order_by("created_at", "pk")
    ):
        newest[found.candidate_id] = found
        if found.baseline.is_serving:
            deciding[found.candidate_id] = found
    under_way = {
        run.candidate_id: run
        for run in ComparisonRun.objects.filter(candidate__in=versions, state__in=UNDER_WAY)
    }
    return [
        Row(
            version=version,
            comparison=newest.get(version.pk),
            comparing=under_way.get(version.pk),
            refusal=serving.why_not(version, deciding.get(version.pk)),
        )
        for version in versions
    ]


def row_of(version: ModelVersion) -> Row:
    """One version, as in the history."""
    comparison = ModelComparison.objects.filter(candidate=version).select_related("baseline")
    return Row(
        version=version,
        comparison=comparison.order_by("-created_at", "-pk").first(),
        comparing=newest_comparing(version),
        refusal=serving.why_not(version),
    )


def newest_comparing(version: ModelVersion) -> ComparisonRun | None:
    """The comparison of a version that is under way, or that failed last."""
    found = ComparisonRun.objects.filter(candidate=version).order_by("-created_at").first()
    return found if found is not None and found.state != WorkState.DONE else None


def changes(model: str) -> list[ServingChange]:
    """The audit, the newest first."""
    return list(ServingChange.objects.filter(model=model).select_related("by")[:SHOWN_CHANGES])


def recent_runs(model: str) -> list[TrainingRun]:
    """Trainings, the newest first, without their curves."""
    runs = TrainingRun.objects.filter(model=model).select_related("created_by", "made")
    return list(runs.defer("curves", "figures", "detail")[:SHOWN_RUNS])


def next_version(versions: Iterable[str]) -> str:
    """The version number after the highest one: 2.0.0 → 2.1.0."""
    known = []
    for version in versions:
        parts = version.split(".")
        if len(parts) == 3 and all(part.isdecimal() and len(part) < 7 for part in parts):
            known.append(tuple(int(part) for part in parts))
    major, minor, _ = max(known, default=(1, -1, 0))
    return f"{major}.{minor + 1}.0"


def find_version(text: str) -> ModelVersion:
    """A version by its identity, its id, or NAME VERSION as ``timbre-1.1.0``.

    Raises
    ------
    LookupError
        For none or several; the message is for people.
    """
    storing.register_shipped()
    wanted = text.strip()
    by_name: dict[str, list[ModelVersion]] = defaultdict(list)
    for version in ModelVersion.objects.all():
        for name in (version.identity, str(version.pk), f"{version.model}-{version.version}"):
            by_name[name].append(version)
    found = by_name.get(wanted, [])
    if len(found) == 1:
        return found[0]
    if not found:
        raise LookupError(f"There is no version {wanted!r}. manage.py list_models lists them.")
    names = ", ".join(sorted(version.identity for version in found))
    raise LookupError(f"Several versions are called {wanted!r}: {names}.")
