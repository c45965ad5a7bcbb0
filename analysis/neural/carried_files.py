"""Checkpoints that other packages carry: used as plain data, only as they were when pinned."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

from analysis.neural.weights import WeightsUnavailable


def folder_of(package: str, *inside: str, local: str, carries: str) -> Path:
    """The folder ``local`` below ``MODELS_DIR`` if it is there, else the one ``inside`` a package.

    The package is looked up without running it. Raises WeightsUnavailable, which says what it
    ``carries``, if neither is there.
    """
    models = os.environ.get("MODELS_DIR")
    if models and (Path(models) / local).is_dir():
        return Path(models) / local
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsUnavailable(
            f"the package {package}, which carries {carries}, is not installed"
        )
    return Path(spec.submodule_search_locations[0]).joinpath(*inside)


def read_checked(path: Path, sha256: str) -> bytes:
    """A file's bytes, whose checksum is this one. Raises WeightsUnavailable."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsUnavailable(f"the weights file {path} is missing") from error
    except OSError as error:
        raise WeightsUnavailable(f"{path} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise WeightsUnavailable(f"{path} is damaged: sha256 {digest}, not {sha256}")
    return data
