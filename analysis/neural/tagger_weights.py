"""The checkpoint of the tagger that hears beside the trunk, taken out of a package as plain data.

PyPI's ``musicnn`` 0.1.0 (ISC) carries the taggers of Pons & Serra 2019 as TensorFlow checkpoints.
Of the package only these files are used: it is found without importing it, and each file must have
the sha256 written here before it is opened.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.neural.weights import WeightsUnavailable

if TYPE_CHECKING:
    from analysis.neural.taggers import MusiCNN

PACKAGE = "musicnn"
LICENCE = "ISC"
NAME = "MSD_musicnn"
SHA256 = {
    ".index": "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
    ".data-00000-of-00001": "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
}


def checkpoint_folder() -> Path:
    """Folder of the checkpoint: ``MSD_musicnn`` below ``MODELS_DIR`` if it is there, else the
    package's.

    Raises
    ------
    WeightsUnavailable
        If neither is there.
    """
    local = os.environ.get("MODELS_DIR")
    if local and (Path(local) / NAME).is_dir():
        return Path(local) / NAME
    spec = importlib.util.find_spec(PACKAGE)  # looks the package up without running it
    if spec is None or not spec.submodule_search_locations:
        raise WeightsUnavailable(
            f"the package {PACKAGE}, which carries the tagger that these ears hear with, is not "
            "installed"
        )
    return Path(spec.submodule_search_locations[0]) / NAME


def identity() -> str:
    """Name and checksum: changes whenever the checkpoint does."""
    return f"{NAME}-{SHA256['.data-00000-of-00001'][:8]}"


def load(*, folder: Path | None = None) -> MusiCNN:
    """The tagger, ready to hear.

    Raises
    ------
    WeightsUnavailable
        If a file is missing or its checksum is wrong; it is not opened then.
    """
    from analysis.neural.taggers import MusiCNN, load_tagger

    folder = folder or checkpoint_folder()
    for suffix, wanted in SHA256.items():
        path = folder / suffix
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WeightsUnavailable(f"{path} cannot be read: {error.strerror}") from error
        if digest != wanted:
            raise WeightsUnavailable(f"{path} is damaged: sha256 {digest}, not {wanted}")
    tagger = load_tagger(folder)
    assert isinstance(tagger, MusiCNN)
    return tagger
