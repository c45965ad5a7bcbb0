"""Comparing a candidate with the serving version because somebody asked: background work."""

from __future__ import annotations

from django.db import transaction

from analysis import background
from analysis.background import UNDER_WAY, BackgroundWork, Refused
from analysis.heart import Heart
from analysis.registry import storing
from analysis.registry.models import ComparisonRun, ModelName, ModelVersion
from catalog.models import User


class CannotCompare(Exception):
    """Why a comparison is not started; the message is for people."""


def start(version: ModelVersion, *, by: User | None) -> ComparisonRun:
    """Queue the comparison of a candidate with what serves. Raises CannotCompare."""
    if version.is_serving:
        raise CannotCompare("This version serves: there is nothing to compare it with.")
    with transaction.atomic():
        ModelVersion.objects.select_for_update().get(pk=version.pk)
        if ComparisonRun.objects.filter(candidate=version, state__in=UNDER_WAY).exists():
            raise CannotCompare("It is being compared already.")
        run = ComparisonRun.objects.create(candidate=version, created_by=by)
        background.start(run)
    return run


def _compare(run: BackgroundWork, heart: Heart) -> None:
    assert isinstance(run, ComparisonRun)
    from analysis.registry.serving import serving_version  # it imports this module

    candidate = run.candidate
    heart.progress(0.0, "Comparing")
    if candidate.is_serving or serving_version(candidate.model) is None:
        raise Refused("serves", "There is nothing to compare it with.")
    try:
        if candidate.model == ModelName.EARS:
            from analysis.registry.ears_comparing import compare_ears

            compare_ears(candidate, heart=heart)
        else:
            from analysis.registry.comparing import compare

            compare(candidate, check=heart.check)
    except storing.FilesMissing as error:
        raise Refused("files", "The files of one of the versions are missing.") from error
    background.finish(run)


def connect() -> None:
    """Enter the kind of work; called once when the app is ready."""
    background.register(ComparisonRun, _compare)
