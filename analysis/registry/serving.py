"""Which version of a model serves, and switching another one on.

The rows say what shall serve; :mod:`analysis.registry.materialising` brings every machine's files
in line with them. A switch is one transaction: the audit, the flag, and the re-tagging that follows
are there together or not at all.
"""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from types import EllipsisType

from django.db import transaction

from analysis import services
from analysis.neural import weights
from analysis.registry import comparison_runs, materialising, retagging, storing, training_data
from analysis.registry.models import (
    ModelComparison,
    ModelName,
    ModelVersion,
    Origin,
    ServingChange,
    Verdict,
)
from catalog.models import User

log = logging.getLogger(__name__)

GOOD_ENOUGH = (Verdict.BETTER, Verdict.NOT_WORSE)
LONGEST_NOTE = 300


class PromotionRefused(Exception):
    """The switch is not made; the message is for people."""


# --- Reading --------------------------------------------------------------------------------------


def serving_version(model: str) -> ModelVersion | None:
    """The version that shall serve; None only while no usable one ships with the product.

    What runs on one machine may differ: MODELS_DIR comes before it (:func:`override`), and a
    damaged file is passed over.
    """
    serving = ModelVersion.objects.filter(model=model, is_serving=True).first()
    if serving is None:
        storing.register_shipped()
        serving = ModelVersion.objects.filter(model=model, is_serving=True).first()
    return serving


def override(model: str) -> Path | None:
    """The operator's manifest in MODELS_DIR that comes before every promoted version, if any."""
    return weights.overriding_manifest(model)


def rollback_target(model: str) -> ModelVersion | None:
    """What one click goes back to: the version that served before the present one was promoted.

    Going back twice goes back two versions, not forth again. Where the version before is gone, the
    one before that is meant, and at last the shipped one.
    """
    changes = ServingChange.objects.filter(model=model).order_by("at", "pk")
    before: list[str] = []
    for change in changes:
        if change.is_rollback:
            while before and before.pop() != change.after_identity:
                pass
        elif change.before_identity:
            before.append(change.before_identity)
    known = {one.identity: one for one in ModelVersion.objects.filter(model=model)}
    while before:
        version = known.get(before.pop())
        if version is None or version.is_serving:
            continue
        if version.origin != Origin.SHIPPED or storing.ships_here(version):
            return version
    return next(
        (
            one
            for one in known.values()
            if one.origin == Origin.SHIPPED and not one.is_serving and storing.ships_here(one)
        ),
        None,
    )


def deciding_comparison(version: ModelVersion) -> ModelComparison | None:
    """The newest comparison of a candidate with what serves now."""
    return (
        ModelComparison.objects.filter(
            candidate=version, baseline__model=version.model, baseline__is_serving=True
        )
        .order_by("-created_at", "-pk")
        .first()
    )


def why_not(
    version: ModelVersion, deciding: ModelComparison | EllipsisType | None = ...
) -> str | None:
    """Why a version may not be promoted by a click, in words; None if it may.

    ``deciding`` is its :func:`deciding_comparison`, where the caller has looked already.
    """
    folder = override(version.model)
    if folder is not None:
        return (
            f"The operator of this site has set MODELS_DIR, and {folder.name} there comes before "
            "every version of the registry. Nothing can be promoted until it is taken away."
        )
    if version.is_serving:
        return "This version serves already."
    if version.origin == Origin.SHIPPED and not storing.ships_here(version):
        return "This version shipped with another release of the product; its files are not here."
    comparison = deciding_comparison(version) if isinstance(deciding, EllipsisType) else deciding
    if comparison is None:
        return "It has not been compared with the version that serves now. Compare it first."
    if comparison.verdict == Verdict.UNDECIDED:
        return (
            "The comparison with the version that serves could not tell them apart: there is too "
            "little held-out data. Collect more, and compare again."
        )
    if comparison.verdict not in GOOD_ENOUGH:
        return "It did worse than the version that serves on the held-out data."
    return None


# --- Switching ------------------------------------------------------------------------------------


def promote(
    version: ModelVersion, *, by: User | None, note: str = "", override_reason: str = ""
) -> ServingChange:
    """Let a version serve, everywhere, from now on; tracks are re-tagged in the background.

    ``override_reason`` promotes without a good comparison: for superusers (and the command line,
    where ``by`` is None), and written into the audit.

    Raises
    ------
    PromotionRefused
        If it may not be promoted (see :func:`why_not`), or its files are gone.
    """
    reason = override_reason.strip()
    with transaction.atomic():
        locked = _locked(version.model)
        current = locked.get(version.pk)
        if current is None:
            raise PromotionRefused("This version has been deleted.")
        refusal = why_not(current)
        if refusal is not None:
            _check_override(current, refusal, reason, by)
            note = f"{note.strip()} Against the comparison: {reason}".strip()
        _check_files(current)
        change = _switch(locked, current, by=by, note=note, is_rollback=False)
    log.info("%s promoted by %s", change.after_identity, change.by_email or "the command line")
    return change


def roll_back(
    model: str, *, by: User | None, note: str = "", instead_of: uuid.UUID | None = None
) -> ServingChange:
    """Let the version serve that served before (:func:`rollback_target`).

    ``instead_of`` is the version that was seen to serve: where another one serves by now, somebody
    was quicker, and nothing is done.

    Raises
    ------
    PromotionRefused
        If there is nothing to go back to.
    """
    with transaction.atomic():
        locked = _locked(model)
        serving = next((one for one in locked.values() if one.is_serving), None)
        if instead_of is not None and (serving is None or serving.pk != instead_of):
            raise PromotionRefused("Meanwhile another version was switched on. Look again.")
        if override(model) is not None:
            raise PromotionRefused(
                "The operator of this site has set MODELS_DIR, which comes before every version "
                "of the registry: going back would change nothing."
            )
        target = rollback_target(model)
        if target is None:
            raise PromotionRefused("There is no earlier version to go back to.")
        _check_files(target)
        change = _switch(locked, locked[target.pk], by=by, note=note, is_rollback=True)
    log.info("back to %s, by %s", change.after_identity, change.by_email or "the command line")
    return change


def _locked(model: str) -> dict[uuid.UUID, ModelVersion]:
    """All versions of a model, held until the transaction ends: one switch at a time."""
    rows = ModelVersion.objects.select_for_update().filter(model=ModelName(model)).order_by("pk")
    return {version.pk: version for version in rows}


def _check_override(version: ModelVersion, refusal: str, reason: str, by: User | None) -> None:
    if not reason:
        raise PromotionRefused(refusal)
    if by is not None and not by.is_superuser:
        raise PromotionRefused(f"{refusal} Only a superuser can promote it all the same.")
    if version.is_serving or override(version.model) is not None:
        raise PromotionRefused(refusal)


def _check_files(version: ModelVersion) -> None:
    try:
        with storing.opened(version) as folder:
            found = weights.read_from(folder, version.model)
    except (storing.FilesMissing, weights.WeightsUnavailable, KeyError, ValueError, OSError) as e:
        log.exception("the files of %s are out of order", version.identity)
        raise PromotionRefused(
            f"The files of {version.identity} are missing or damaged in our storage."
        ) from e
    if found.identity != version.identity:
        raise PromotionRefused(f"The files of {version.identity} are those of another version.")


def _switch(
    versions: dict[uuid.UUID, ModelVersion],
    to: ModelVersion,
    *,
    by: User | None,
    note: str,
    is_rollback: bool,
) -> ServingChange:
    before = next((one for one in versions.values() if one.is_serving), None)
    ModelVersion.objects.filter(model=to.model, is_serving=True).update(is_serving=False)
    ModelVersion.objects.filter(pk=to.pk).update(is_serving=True)
    change = ServingChange.objects.create(
        model=to.model,
        before=before,
        after=to,
        before_identity=before.identity if before else "",
        after_identity=to.identity,
        is_rollback=is_rollback,
        note=note.strip()[:LONGEST_NOTE],
        by=by,
        by_email=by.email if by else "",
    )
    retagging.start(to, by=by)
    transaction.on_commit(materialising.materialise_quietly)
    return change


def materialise() -> dict[str, str]:
    """See :func:`analysis.registry.materialising.materialise`."""
    return materialising.materialise()


def connect() -> None:
    """Let this process find what was promoted, and tidy up now and then; called once when the app
    is ready."""
    materialising.look_here()
    services.HOUSEKEEPING += [storing.tidy_files, training_data.tidy_pictures]
    comparison_runs.connect()
