"""The checkpoint of the tagger that hears beside the trunk, taken out of a package as plain data.

PyPI's ``musicnn`` 0.1.0 (ISC) carries the taggers of Pons & Serra 2019 as TensorFlow checkpoints.
Of the package only these files are used: it is found without importing it, and each file must have
the sha256 written here before it is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analysis.neural.carried_files import folder_of, read_checked
from analysis.neural.tensorflow_checkpoint import DATA, INDEX

if TYPE_CHECKING:
    from analysis.neural.taggers import MusiCNN

PACKAGE = "musicnn"
LICENCE = "ISC"
NAME = "MSD_musicnn"
SHA256 = {
    INDEX: "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
    DATA: "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
}


def checkpoint_folder() -> Path:
    """Folder of the checkpoint: ``MSD_musicnn`` below ``MODELS_DIR`` if it is there, else the
    package's.

    Raises
    ------
    WeightsUnavailable
        If neither is there.
    """
    return folder_of(PACKAGE, NAME, local=NAME, carries="the tagger that these ears hear with")


def identity() -> str:
    """Name and checksum: changes whenever the checkpoint does."""
    return f"{NAME}-{SHA256[DATA][:8]}"


def load(*, folder: Path | None = None) -> MusiCNN:
    """The tagger, ready to hear.

    Raises
    ------
    WeightsUnavailable
        If a file is missing or its checksum is wrong; it is not opened then.
    """
    from analysis.neural.taggers import MusiCNN, filled_tagger

    folder = folder or checkpoint_folder()
    files = {suffix: read_checked(folder / suffix, digest) for suffix, digest in SHA256.items()}
    tagger = filled_tagger(files[INDEX], files[DATA])
    assert isinstance(tagger, MusiCNN)
    return tagger
