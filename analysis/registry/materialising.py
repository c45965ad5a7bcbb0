"""Bringing the files of a machine in line with what shall serve.

``DATA_DIR/models`` holds a folder for each version, and ``NAME.json``, written last and in one
step, which names the weights in the folder of the version that serves. It is looked at every few
seconds (by the watchdog of ``run_workers``, and by the web processes of machines that have no
workers), so that a machine which was away, or a crash between the rows and the files, heals by
itself. No manifest there means that the shipped version serves.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from analysis.neural import weights
from analysis.neural.weights import WeightsUnavailable
from analysis.registry import storing
from analysis.registry.models import ModelName, ModelVersion, Origin

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
_AGAIN_AFTER_S = 60.0
_KEPT_FOR_S = 3_600.0
_OUT_OF_ORDER = (WeightsUnavailable, storing.FilesMissing, KeyError, ValueError, OSError)

_failed_at: dict[str, float] = {}
_registered = False


def folder() -> Path:
    """Where this machine keeps what was promoted."""
    return Path(settings.DATA_DIR) / "models"


def look_here() -> None:
    """Let :mod:`analysis.neural.weights` find what was promoted; called when the app is ready."""
    weights.also_look_in(folder())


def materialise() -> dict[str, str]:
    """Make this machine serve what shall serve; returns what is wrong, by model.

    Where the version's files are lost or damaged, the one before it serves, or else the shipped
    one, and it is tried again every minute.
    """
    global _registered
    with _alone():
        if not _registered:
            storing.register_shipped()
            _registered = True
        serving = {one.model: one for one in ModelVersion.objects.filter(is_serving=True)}
        if len(serving) < len(ModelName.values):
            storing.register_shipped()
            serving = {one.model: one for one in ModelVersion.objects.filter(is_serving=True)}
        problems = {}
        for name, version in serving.items():
            problem = _bring_in_line(name, version)
            if problem is not None:
                problems[name] = problem
        (folder() / ".looked").touch()
    return problems


def materialise_quietly() -> None:
    """The same, where nothing may be raised: the next round tries again."""
    try:
        materialise()
    except (DatabaseError, InterfaceError, OSError):
        log.exception("the promoted models are not in line yet")


def was_looked_at() -> bool:
    """Whether some process of this machine has done the round in the last few seconds."""
    try:
        return time.time() - (folder() / ".looked").stat().st_mtime < EVERY_SECONDS
    except FileNotFoundError:
        return False


def problems() -> dict[str, str]:
    """By model, what runs on this machine instead of what shall serve, in words for anybody."""
    found = {}
    for version in ModelVersion.objects.filter(is_serving=True):
        if weights.overriding_manifest(version.model) is not None:
            continue
        try:
            runs = weights.find(version.model)
        except (WeightsUnavailable, KeyError, ValueError, OSError):
            continue  # said by the check of the weights
        if runs.identity != version.identity:
            found[version.model] = f"{runs.identity} serves instead of {version.identity}"
    return found


def _bring_in_line(name: str, version: ModelVersion) -> str | None:
    from analysis.registry.serving import rollback_target

    if version.origin == Origin.SHIPPED:
        # Of another release: what ships with this one serves until all machines are alike.
        (folder() / f"{name}.json").unlink(missing_ok=True)
        return None
    problem = _place(version)
    if problem is None:
        return None
    before = rollback_target(name)
    instead = "the shipped version"
    if before is not None and before.origin != Origin.SHIPPED and _place(before) is None:
        instead = before.identity
    else:
        (folder() / f"{name}.json").unlink(missing_ok=True)
    return f"{version.identity} is out of order ({problem}); {instead} serves"


def _place(version: ModelVersion) -> str | None:
    """Have a version's files here, whole; what is wrong if they cannot be had."""
    here = folder()
    with suppress(*_OUT_OF_ORDER):
        if weights.read_from(here, version.model).identity == version.identity:
            return None
    if time.monotonic() - _failed_at.get(version.identity, -_AGAIN_AFTER_S) < _AGAIN_AFTER_S:
        return "tried a moment ago"
    try:
        with storing.opened(version) as source:
            _copy_in(source, version)
    except Exception as error:  # whatever a storage raises: another version serves meanwhile
        _failed_at[version.identity] = time.monotonic()
        log.exception("cannot serve %s", version.identity)
        return str(error) or type(error).__name__
    _failed_at.pop(version.identity, None)
    _tidy(keep=version)
    log.info("%s serves on this machine", version.identity)
    return None


def _copy_in(source: Path, version: ModelVersion) -> None:
    """The files first, in a folder named by the version; then, in one step, the manifest that
    points into it."""
    here, name = folder(), version.model
    manifest = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
    stored, own = source / manifest["file"], here / version.identity
    own.mkdir(exist_ok=True)
    digest = hashlib.sha256()
    with _replacing(own / f"{name}.safetensors") as copy, stored.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            copy.write(block)
        if digest.hexdigest() != version.sha256:
            raise WeightsUnavailable(f"{stored.name} is damaged in the storage")
    _write(own / f"{name}.md", version.card)
    for path, file_name in (
        (own / f"{name}.json", f"{name}.safetensors"),
        (here / f"{name}.json", f"{version.identity}/{name}.safetensors"),
    ):
        fields = {**manifest, "file": file_name}
        _write(path, json.dumps(fields, indent=2, sort_keys=True) + "\n")


def _write(path: Path, text: str) -> None:
    with _replacing(path) as file:
        file.write(text.encode())


@contextmanager
def _replacing(path: Path) -> Iterator[tempfile._TemporaryFileWrapper[bytes]]:
    """A file that takes ``path``'s place when it is whole and on the disk, or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _tidy(*, keep: ModelVersion) -> None:
    """Drop other versions' files, but not at once: a process may be about to open them."""
    for path in [*folder().glob(f"{keep.model}-*"), *folder().rglob(".part-*")]:
        with suppress(FileNotFoundError):
            is_old = time.time() - path.stat().st_mtime > _KEPT_FOR_S
            if not is_old or path.name == keep.identity:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


@contextmanager
def _alone() -> Iterator[None]:
    """One process of a machine at a time."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
