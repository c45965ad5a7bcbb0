"""Which Demucs models are on this machine. Cheap to import: neither torch nor demucs."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from functools import lru_cache
from pathlib import Path

import yaml

log = logging.getLogger(__name__)

NAMES = ("htdemucs_ft", "htdemucs", "htdemucs_6s")
HUB = "hub"
"""Stands for the weights in an identity where they come from the hub, whose files are fixed."""

_HUB_REPOSITORIES = {
    "htdemucs": "adefossez/HTDemucs",
    "htdemucs_ft": "adefossez/HTDemucs-ft",
    "htdemucs_6s": "adefossez/HTDemucs-6s",
}


def local_folder() -> Path | None:
    """Folder of Demucs models: ``DEMUCS_DIR``, or ``demucs`` in ``MODELS_DIR``; None if neither."""
    folders = [os.environ.get("DEMUCS_DIR"), os.environ.get("MODELS_DIR")]
    candidates = [
        Path(folder) if number == 0 else Path(folder) / "demucs"
        for number, folder in enumerate(folders)
        if folder
    ]
    return next((folder for folder in candidates if folder.is_dir()), None)


def local_files(name: str, folder: Path) -> list[Path]:
    """Every file that a model needs, or nothing if one is missing; opens no checkpoint."""
    bag = folder / f"{name}.yaml"
    signatures = [name]
    files = []
    if bag.is_file():
        signatures = _signatures(bag)
        files.append(bag)
    for signature in signatures:
        found = [
            path for path in sorted(folder.glob("*.th")) if path.stem.split("-")[0] == signature
        ]
        if len(found) != 1:
            return []
        files += found
    return files if signatures else []


def _signatures(bag: Path) -> list[str]:
    """The models that a bag names; none if it cannot be read, which is said in the log."""
    try:
        described = yaml.safe_load(bag.read_text(encoding="utf-8"))
        return [str(signature) for signature in described["models"]]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        log.warning("%s is no description of Demucs models: %s", bag, error)
        return []


def in_hub_cache(name: str) -> bool:
    """Whether the hub's cache on this machine has the model's description and weights."""
    from huggingface_hub import try_to_load_from_cache

    repo = _HUB_REPOSITORIES[name]
    bag = try_to_load_from_cache(repo, f"{name}.yaml")
    if not isinstance(bag, str):
        return False
    signatures = _signatures(Path(bag))
    return bool(signatures) and all(
        isinstance(try_to_load_from_cache(repo, f"{signature}.safetensors"), str)
        for signature in signatures
    )


def is_present(name: str) -> bool:
    """Whether a model can be used without the network."""
    if importlib.util.find_spec("demucs") is None:
        return False
    folder = local_folder()
    return bool(folder and local_files(name, folder)) or in_hub_cache(name)


def weights_mark(name: str) -> str:
    """A mark of the weights that serve now: of the local files, or :data:`HUB` without any."""
    folder = local_folder()
    files = local_files(name, folder) if folder else []
    if not files:
        return HUB
    return _digest(tuple((path, *_stamp(path)) for path in files))


def identity(name: str) -> str:
    """Name and weights of a model: changes whenever its stems would."""
    return f"{name}-1-{weights_mark(name)}"


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Of the files' content; read again only when one of them has changed."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
