"""Which Whisper model is used, and where it lies: a local folder, the hub, the starter.

A larger model is asked for by its name in ``LYRICS_MODEL`` (``small``, ``medium``, ``large-v3``,
``turbo`` ...) or as a path. It is looked for in ``MODELS_DIR/whisper-NAME`` (a CTranslate2 folder)
or ``MODELS_DIR/whisper-NAME.pt`` (OpenAI's file), then in the libraries' own caches, then where the
libraries load it from, if that answers within five seconds. Where none has it, the starter serves,
which the result names.
"""

from __future__ import annotations

import hashlib
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from analysis.neural.lyrics import starter_weights
from analysis.neural.lyrics.recogniser import EngineUnavailable
from analysis.neural.weights import WeightsUnavailable

AUTO = "auto"
HUB_TIMEOUT_S = 5.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A model's name, the file or folder it lies in, and a mark of its weights."""

    model: str
    path: Path
    identity: str


def wanted(model: str = AUTO) -> str:
    """The name or path that is asked for: ``LYRICS_MODEL``, or the starter, for ``auto``."""
    return os.environ.get("LYRICS_MODEL") or starter_weights.NAME if model == AUTO else model


def for_ctranslate2(model: str = AUTO) -> Found:
    """A folder that faster-whisper opens.

    Raises
    ------
    EngineUnavailable
        If not even the starter is there.
    """
    name = wanted(model)
    local = _local(name, "model.bin")
    if local is not None:
        return local
    if name != starter_weights.NAME:
        from faster_whisper.utils import download_model
        from huggingface_hub import constants

        try:
            return _described(name, Path(download_model(name, local_files_only=True)), "model.bin")
        except (OSError, ValueError) as error:
            log.info("%s is not in the hub's cache (%s)", name, error)
        if _answers(constants.ENDPOINT):
            try:
                return _described(name, Path(download_model(name)), "model.bin")
            except (OSError, ValueError, RuntimeError) as error:
                log.warning("%s cannot be fetched from the hub: %s", name, error)
        log.warning("the speech model %s is not to be had; the starter serves", name)
    return starter()


def for_openai(model: str = AUTO) -> Found:
    """A checkpoint (``.pt``) or a CTranslate2 folder with float weights; raises the same."""
    name = wanted(model)
    local = _local_checkpoint(name) or _local(name, "model.bin")
    if local is not None:
        return local
    if name != starter_weights.NAME:
        checkpoint = _openai_checkpoint(name)
        if checkpoint is not None:
            return _described(name, checkpoint)
        log.warning("the speech model %s is not to be had; the starter serves", name)
    return starter()


def starter() -> Found:
    """The base model out of its packages; raises EngineUnavailable."""
    try:
        folder = starter_weights.folder()
    except WeightsUnavailable as error:
        raise EngineUnavailable(str(error)) from error
    return Found(starter_weights.NAME, folder, starter_weights.identity())


def _local(name: str, content: str) -> Found | None:
    """A folder of that path, or of that name in ``MODELS_DIR``."""
    models = os.environ.get("MODELS_DIR")
    candidates = [Path(name)] + ([Path(models) / f"whisper-{name}"] if models else [])
    for folder in candidates:
        if (folder / content).is_file():
            return _described(folder.name.removeprefix("whisper-"), folder, content)
    return None


def _local_checkpoint(name: str) -> Found | None:
    models = os.environ.get("MODELS_DIR")
    candidates = [Path(name)] + ([Path(models) / f"whisper-{name}.pt"] if models else [])
    for path in candidates:
        if path.suffix == ".pt" and path.is_file():
            return _described(path.stem.removeprefix("whisper-"), path)
    return None


def _openai_checkpoint(name: str) -> Path | None:
    """The file in OpenAI's cache, fetched there if their server answers."""
    import whisper

    urls: dict[str, Any] = whisper._MODELS
    if name not in urls:
        return None
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"
    if (cached / Path(urls[name]).name).is_file() or _answers(urls[name]):
        try:
            return Path(whisper._download(urls[name], str(cached), False))
        except (OSError, RuntimeError) as error:
            log.warning("%s cannot be fetched: %s", name, error)
    return None


def _described(name: str, path: Path, content: str = "") -> Found:
    file = path / content
    status = file.stat()
    digest = _sha256(file, status.st_size, status.st_mtime_ns)
    return Found(name, path, f"whisper-{name}-{digest[:8]}")


@cache
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    """Checksum of a file, computed once for each state of it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _answers(address: str) -> bool:
    """Whether a server says anything at all in a short time."""
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return True
    except OSError as error:
        log.info("%s cannot be reached: %s", address, error)
        return False
    return True
