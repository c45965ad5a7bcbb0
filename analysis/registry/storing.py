"""Writes of model versions: taking one in, opening its files, letting one go.

A version's three files lie in the storage under a prefix of their own (``NAME.safetensors``,
``NAME.json``, ``NAME.md``) and are never written again. Files of the versions that ship with the
product stay in :data:`analysis.neural.weights.SHIPPED_DIR`.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ObjectDoesNotExist
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from analysis.neural import weights
from analysis.neural.weights import SHIPPED_DIR, Weights, WeightsUnavailable
from analysis.registry.candidate_files import (
    VersionRefused,
    as_stored,
    check_that_it_works,
    read_candidate,
)
from analysis.registry.models import ModelName, ModelVersion, Origin, ServingChange, TrainingRun
from catalog.models import User

log = logging.getLogger(__name__)

PREFIX = "models"
_FORGOTTEN_AFTER = timedelta(days=1)


class AlreadyThere(VersionRefused):
    """The very same weights are in the registry already, as ``version``."""

    def __init__(self, version: ModelVersion) -> None:
        super().__init__("exists", f"This version is here already: {version.identity}.")
        self.version = version


class FilesMissing(Exception):
    """The storage has lost a version's files, or they shipped with another release."""


class StillNeeded(Exception):
    """A version that serves, or is needed for going back, is not deleted; for people."""


# --- Taking in ------------------------------------------------------------------------------------


def add_version(
    model: str,
    folder: Path,
    *,
    origin: str,
    by: User | None = None,
    run: TrainingRun | None = None,
) -> ModelVersion:
    """Take the weights, manifest and card in ``folder`` (NAME.json, its .safetensors, perhaps
    NAME.md) into the registry. Nothing serves them until somebody promotes them.

    The files are looked through, and the network is built and asked once: in this process if it
    holds the networks' libraries already, in a process of its own if not. What a run has added is
    not added twice.

    Raises
    ------
    VersionRefused
        For files that are no usable version of the model; the message is for people.
    AlreadyThere
        If the same weights were added before, under whatever number.
    """
    if run is not None:
        made = ModelVersion.objects.filter(trained_by=run).first()
        if made is not None:
            return made
    found = read_candidate(folder, ModelName(model).value)
    same = Q(identity=found.identity) | Q(model=model, sha256=found.sha256)
    existing = ModelVersion.objects.filter(same).first()
    if existing is not None:
        raise AlreadyThere(existing)
    check_that_it_works(found)
    version_id = uuid.uuid4()
    prefix = f"{PREFIX}/{found.name}/{version_id}"
    manifest = as_stored(found)
    with found.weights.open("rb") as file:
        default_storage.save(f"{prefix}/{found.name}.safetensors", File(file))
    default_storage.save(f"{prefix}/{found.name}.md", ContentFile(found.card.encode()))
    default_storage.save(f"{prefix}/{found.name}.json", ContentFile(manifest))
    try:
        with transaction.atomic():
            version = ModelVersion.objects.create(
                id=version_id,
                model=found.name,
                version=found.version,
                identity=found.identity,
                sha256=found.sha256,
                origin=origin,
                folder=prefix,
                manifest=found.manifest,
                card=found.card,
                trained_by=run,
                created_by=by,
            )
    except IntegrityError:
        # Somebody else was quicker with the same weights, or with what this run made.
        _remove_files(prefix, found.name)
        quicker = ModelVersion.objects.filter(same | Q(trained_by=run, trained_by__isnull=False))
        other = quicker.first()
        if other is None:
            raise
        if run is not None and other.trained_by_id == run.pk:
            return other
        raise AlreadyThere(other) from None
    log.info("added the version %s (%s)", version.identity, origin)
    return version


def register_shipped() -> list[ModelVersion]:
    """Enter the versions that ship with this release, once each; returns them.

    The first of a model serves from the start. A later one, of a new release, takes over from the
    shipped one before it, never from one that staff switched on.
    """
    found = []
    for name in ModelName.values:
        try:
            shipped = weights.read_from(SHIPPED_DIR, name)
        except (WeightsUnavailable, KeyError, ValueError, OSError) as error:
            log.error("the shipped model %s is out of order: %s", name, error)
            continue
        version = ModelVersion.objects.filter(identity=shipped.identity).first()
        if version is None:
            try:
                version = _enter_shipped(shipped)
            except VersionRefused as error:
                log.error("the shipped model %s is out of order: %s", name, error.message)
                continue
        found.append(version)
    return found


def _enter_shipped(shipped: Weights) -> ModelVersion:
    manifest = read_candidate(SHIPPED_DIR, shipped.name)
    with transaction.atomic():
        version, is_new = ModelVersion.objects.get_or_create(
            identity=shipped.identity,
            defaults={
                "model": shipped.name,
                "version": shipped.version,
                "sha256": shipped.sha256,
                "origin": Origin.SHIPPED,
                "manifest": manifest.manifest,
                "card": manifest.card,
            },
        )
        if not is_new:
            return version
        serving = (
            ModelVersion.objects.select_for_update()
            .filter(model=shipped.name, is_serving=True)
            .first()
        )
        if serving is not None and serving.origin != Origin.SHIPPED:
            return version
        if serving is not None:
            ModelVersion.objects.filter(pk=serving.pk).update(is_serving=False)
        ModelVersion.objects.filter(pk=version.pk).update(is_serving=True)
        version.is_serving = True
        ServingChange.objects.create(
            model=shipped.name,
            before=serving,
            after=version,
            before_identity=serving.identity if serving else "",
            after_identity=version.identity,
            note="It came with this release of the product.",
        )
    return version


# --- Opening --------------------------------------------------------------------------------------


@contextmanager
def opened(version: ModelVersion) -> Iterator[Path]:
    """A local folder with NAME.json and NAME.safetensors (and NAME.md) of a version.

    Only to be read. It may be gone after the block.

    Raises
    ------
    FilesMissing
        If the storage has lost them, or they shipped with another release.
    """
    name = version.model
    if version.origin == Origin.SHIPPED:
        if not ships_here(version):
            raise FilesMissing(f"{version.identity} shipped with another release of the product")
        yield SHIPPED_DIR
        return
    stored = f"{version.folder}/{name}"
    for ending in ("json", "safetensors"):
        if not default_storage.exists(f"{stored}.{ending}"):
            raise FilesMissing(f"{stored}.{ending}")
    try:
        folder = Path(default_storage.path(version.folder))
    except NotImplementedError:
        with tempfile.TemporaryDirectory(prefix="svp-model-") as copies:
            for ending in ("json", "safetensors", "md"):
                _copy_out(f"{stored}.{ending}", Path(copies) / f"{name}.{ending}")
            yield Path(copies)
    else:
        yield folder


def _copy_out(stored: str, to: Path) -> None:
    try:
        with default_storage.open(stored) as source, to.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except FileNotFoundError:
        if to.suffix != ".md":
            raise FilesMissing(stored) from None
        to.unlink(missing_ok=True)


def ships_here(version: ModelVersion) -> bool:
    """Whether the files of a shipped version are those of this release."""
    try:
        return weights.read_from(SHIPPED_DIR, version.model).identity == version.identity
    except (WeightsUnavailable, KeyError, ValueError, OSError):
        return False


# --- Letting go -----------------------------------------------------------------------------------


def delete_version(version: ModelVersion) -> None:
    """Delete a version with its files; the audit keeps its name.

    Raises
    ------
    StillNeeded
        If it serves, if going back would need it, or if it ships with the product.
    """
    from analysis.registry.serving import rollback_target

    with transaction.atomic():
        locked = ModelVersion.objects.select_for_update().filter(model=version.model)
        try:
            version = next(one for one in locked if one.pk == version.pk)
        except StopIteration:
            return
        if version.is_serving:
            raise StillNeeded("This version serves. Promote another one, or go back, first.")
        if version.origin == Origin.SHIPPED and ships_here(version):
            raise StillNeeded("This version came with the product and stays with it.")
        if rollback_target(version.model) == version:
            raise StillNeeded(
                "This version served before the present one, and is what one click "
                "goes back to. It can go when it no longer is."
            )
        name, prefix = version.model, version.folder
        version.delete()
        if prefix:
            transaction.on_commit(lambda: _remove_files(prefix, name))
    log.info("deleted the version %s", version.identity)


def _remove_files(prefix: str, name: str) -> None:
    for ending in ("safetensors", "json", "md"):
        default_storage.delete(f"{prefix}/{name}.{ending}")
    # On a disk an empty folder remains, and Django's storage removes it like a file.
    default_storage.delete(prefix)


def tidy_files() -> None:
    """Remove files of versions that were never entered, or are no longer; not those of the last
    day, which somebody may be adding."""
    for name in ModelName.values:
        try:
            folders, _ = default_storage.listdir(f"{PREFIX}/{name}")
        except FileNotFoundError:
            continue
        known = set(ModelVersion.objects.filter(model=name).values_list("folder", flat=True))
        for folder in folders:
            prefix = f"{PREFIX}/{name}/{folder}"
            if prefix not in known and _is_old(f"{prefix}/{name}.safetensors"):
                log.info("removing %s, which belongs to no version", prefix)
                _remove_files(prefix, name)


def _is_old(stored: str) -> bool:
    try:
        return default_storage.get_modified_time(stored) < timezone.now() - _FORGOTTEN_AFTER
    except (FileNotFoundError, ObjectDoesNotExist):
        return True
