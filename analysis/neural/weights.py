"""Every model's weights: name -> file, sha256, version, licence, source.

A model is described by a manifest ``NAME.json``. Manifests (with their ``.safetensors`` beside
them) are looked for in the folder named by ``MODELS_DIR`` first, so that an operator can run
weights of her own; then in the folder that :func:`also_look_in` was told, where the site puts what
staff have promoted; and then among the ones that ship with the product. What is found is verified
by its sha256 before it is opened; safetensors files hold no code. A damaged promoted file is passed
over (and said in the log), so that the shipped one serves meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

SHIPPED_DIR = Path(__file__).resolve().parent.parent / "weights"
REQUIRED = ("ears", "timbre")
LOCAL, PROMOTED, SHIPPED = "local", "promoted", "shipped"
_UNUSABLE = (KeyError, ValueError, OSError)


class WeightsUnavailable(Exception):
    """No usable weights for a model; the message says which file and why."""


@dataclass(frozen=True)
class Weights:
    """A verified weights file and what its manifest says."""

    name: str
    version: str
    path: Path
    sha256: str
    licence: str
    source: str
    origin: str  # LOCAL (MODELS_DIR), PROMOTED or SHIPPED
    settings: dict[str, Any]  # what the model needs besides tensors: labels, temperature ...
    figures: dict[str, Any]  # what was measured on held-out data, as on its card

    @property
    def identity(self) -> str:
        """Name, version and the beginning of the checksum: changes whenever the weights do."""
        return f"{self.name}-{self.version}-{self.sha256[:8]}"


_promoted_folder: list[Path] = []
_said: dict[str, str] = {}


def also_look_in(folder: Path | None) -> None:
    """Look for promoted weights in ``folder``, between MODELS_DIR and the shipped ones; None for
    nowhere. It need not be there."""
    _promoted_folder[:] = [] if folder is None else [folder]


def overriding_manifest(name: str) -> Path | None:
    """The operator's manifest of a model in MODELS_DIR, which comes before any other; or None."""
    local = os.environ.get("MODELS_DIR")
    manifest = Path(local) / f"{name}.json" if local else None
    return manifest if manifest is not None and manifest.exists() else None


def _search_path() -> list[tuple[str, Path]]:
    local = os.environ.get("MODELS_DIR")
    folders = [(LOCAL, Path(local))] if local else []
    return [*folders, *((PROMOTED, folder) for folder in _promoted_folder), (SHIPPED, SHIPPED_DIR)]


def find(name: str) -> Weights:
    """Find and verify the weights of a model.

    Raises
    ------
    WeightsUnavailable
        If there is no manifest, its file is missing, or the checksum is wrong.
    """
    for origin, folder in _search_path():
        manifest = folder / f"{name}.json"
        if not manifest.exists():
            continue
        if origin != PROMOTED:
            return _read(name, manifest, origin)
        try:
            return _read(name, manifest, origin)
        except (WeightsUnavailable, *_UNUSABLE) as error:
            _say_once(name, f"the promoted weights are passed over: {error}")
    raise WeightsUnavailable(f"no manifest {name}.json in {[str(f) for _, f in _search_path()]}")


def _say_once(name: str, problem: str) -> None:
    """Pages ask at every request; a problem is logged when it appears, or becomes another one."""
    if _said.get(name) != problem:
        _said[name] = problem
        log.error("%s: %s", name, problem)


def read_from(folder: Path, name: str) -> Weights:
    """The weights of a model in one particular folder; raises like :func:`find`."""
    manifest = folder / f"{name}.json"
    if not manifest.exists():
        raise WeightsUnavailable(f"no manifest {manifest}")
    return _read(name, manifest, LOCAL)


def _read(name: str, manifest: Path, origin: str) -> Weights:
    fields = _fields(manifest.read_text(encoding="utf-8"))
    path = manifest.parent / fields["file"]
    if not path.is_file():
        raise WeightsUnavailable(f"the weights file {path} is missing")
    status = path.stat()
    digest = _sha256(path, status.st_size, status.st_mtime_ns)
    if digest != fields["sha256"]:
        raise WeightsUnavailable(f"{path} is damaged: sha256 {digest}, not {fields['sha256']}")
    return Weights(
        name=name,
        version=fields["version"],
        path=path,
        sha256=digest,
        licence=fields["licence"],
        source=fields["source"],
        origin=origin,
        settings=fields.get("settings", {}),
        figures=fields.get("figures", {}),
    )


@lru_cache(maxsize=16)
def _fields(text: str) -> dict[str, Any]:
    """What a manifest says; pages ask at every request, and it is only ever read."""
    fields: dict[str, Any] = json.loads(text)
    return fields


@cache
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    """Checksum of a file, computed once for each state of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(manifest: Path, *, weights_file: Path, **fields: Any) -> None:
    """Describe ``weights_file`` (in the same folder) in ``manifest``."""
    with weights_file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    document = {"file": weights_file.name, "sha256": digest, **fields}
    manifest.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check() -> dict[str, str | None]:
    """For each model the product needs: None if its weights are in order, else what is wrong."""
    problems: dict[str, str | None] = {}
    for name in REQUIRED:
        try:
            find(name)
            problems[name] = None
        except (WeightsUnavailable, *_UNUSABLE) as error:
            problems[name] = str(error)
    return problems
