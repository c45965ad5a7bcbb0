"""Looking through the files of a version before it is taken in. Nothing here is trusted: they may
have come from anywhere."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.neural import trial

MOST_WEIGHTS_BYTES = 256 * 1024 * 1024
MOST_MANIFEST_BYTES = 2 * 1024 * 1024
MOST_CARD_BYTES = 1024 * 1024
_MOST_HEADER_BYTES = 4 * 1024 * 1024
_MOST_NAMES = 200
_LONGEST_NAME = {"ears": 64, "timbre": 40}
_NAMES_KEY = {"ears": "labels", "timbre": "tags"}
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,39}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DTYPES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}


class VersionRefused(Exception):
    """These files are no usable version of a model; the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Candidate:
    """Files that look like a version: where the weights lie, and what is said of them."""

    name: str
    version: str
    sha256: str
    weights: Path
    folder: Path
    manifest: dict[str, Any]
    card: str

    @property
    def identity(self) -> str:
        """As :attr:`analysis.neural.weights.Weights.identity`."""
        return f"{self.name}-{self.version}-{self.sha256[:8]}"


def read_candidate(folder: Path, name: str) -> Candidate:
    """Read NAME.json, the safetensors file it names (in the same folder) and NAME.md if there is
    one. Raises VersionRefused."""
    manifest = parse_manifest(_read(folder / f"{name}.json", MOST_MANIFEST_BYTES, "manifest"))
    file = manifest["file"]
    path = folder / file
    if Path(file).name != file or not file.endswith(".safetensors"):
        raise VersionRefused(
            "file",
            "The manifest's “file” must name a .safetensors file beside it, without folders.",
        )
    if not path.is_file():
        raise VersionRefused("file", f"The weights file {file} is missing.")
    if path.stat().st_size > MOST_WEIGHTS_BYTES:
        raise VersionRefused(
            "size", f"The weights are larger than {MOST_WEIGHTS_BYTES // 1024**2} MB."
        )
    check_names(manifest, name)
    check_header(path)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != manifest["sha256"]:
        raise VersionRefused(
            "sha256",
            "The weights are not the ones that the manifest describes: their SHA-256 is "
            f"{digest[:12]}…, the manifest says {manifest['sha256'][:12]}….",
        )
    card_path = folder / f"{name}.md"
    card = ""
    if card_path.is_file():
        card = _text(_read(card_path, MOST_CARD_BYTES, "model card"), "model card")
    return Candidate(
        name=name,
        version=manifest["version"],
        sha256=digest,
        weights=path,
        folder=folder,
        manifest=manifest,
        card=card,
    )


def check_that_it_works(candidate: Candidate) -> None:
    """Build the network with the weights and ask it once. Raises VersionRefused."""
    problem = trial.check(candidate.folder, candidate.name)
    if problem is not None:
        raise VersionRefused(
            "network", f"These weights do not fit the network of this release: {problem}"[:900]
        )


def as_stored(candidate: Candidate) -> bytes:
    """The manifest as it is kept: its weights file is called NAME.safetensors."""
    candidate.manifest["file"] = f"{candidate.name}.safetensors"
    return (json.dumps(candidate.manifest, indent=2, sort_keys=True) + "\n").encode()


def parse_manifest(content: bytes) -> dict[str, Any]:
    """A manifest's fields, with the ones that every model needs. Raises VersionRefused."""
    try:
        found = json.loads(_text(content, "manifest"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise VersionRefused("manifest", f"The manifest is no JSON: {error}"[:300]) from error
    if not isinstance(found, dict):
        raise VersionRefused("manifest", "The manifest must be one JSON object.")
    for value in _walk(found):
        if isinstance(value, float) and not math.isfinite(value):
            raise VersionRefused("manifest", "The manifest holds a number that is too large.")
        if isinstance(value, int) and abs(value) > 2**63:
            raise VersionRefused("manifest", "The manifest holds a number that is too large.")
        if isinstance(value, str) and "\0" in value:
            raise VersionRefused("manifest", "The manifest holds a NUL character.")
    for key in ("file", "sha256", "version", "licence", "source"):
        if not isinstance(found.get(key), str) or not found[key].strip():
            raise VersionRefused("manifest", f"The manifest lacks “{key}”, a text.")
    for key in ("settings", "figures"):
        if not isinstance(found.setdefault(key, {}), dict):
            raise VersionRefused("manifest", f"The manifest's “{key}” must be an object.")
    if not _VERSION.fullmatch(found["version"]):
        raise VersionRefused(
            "version",
            "The manifest's “version” must be 1 to 40 letters, digits, dots, dashes or "
            "underscores, like 1.2.0.",
        )
    if not _SHA256.fullmatch(found["sha256"]):
        raise VersionRefused("sha256", "The manifest's “sha256” must be 64 hexadecimal digits.")
    return found


def check_names(manifest: dict[str, Any], name: str) -> None:
    """The words that the model speaks: a few, each short and once. Raises VersionRefused."""
    key = _NAMES_KEY[name]
    names = manifest["settings"].get(key)
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise VersionRefused("names", f"The manifest's settings lack “{key}”, a list of names.")
    if not 1 <= len(names) <= _MOST_NAMES or len(set(names)) < len(names):
        raise VersionRefused("names", f"“{key}” must be 1 to {_MOST_NAMES} different names.")
    for each in names:
        if not each.strip() or not each.isprintable() or len(each) > _LONGEST_NAME[name]:
            raise VersionRefused(
                "names",
                f"Each of “{key}” must be 1 to {_LONGEST_NAME[name]} printable characters; "
                f"{each[:40]!r} is not.",
            )


def check_header(path: Path) -> None:
    """That a file is what the safetensors format says: a header of names, types, shapes and places,
    and after it as many bytes as they need (github.com/huggingface/safetensors, "Format"); no
    code. Raises VersionRefused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length > min(_MOST_HEADER_BYTES, size - 8):
            raise VersionRefused("safetensors", "The weights are no safetensors file.")
        header = file.read(length)
    try:
        entries = json.loads(header, parse_constant=_no_constant)
        entries.pop("__metadata__", None)
        end = 0
        for entry in entries.values():
            begin, until = entry["data_offsets"]
            n_bytes = _DTYPES[entry["dtype"]] * math.prod(int(each) for each in entry["shape"])
            if not 0 <= begin <= until or until - begin != n_bytes:
                raise ValueError("places and shapes disagree")
            end = max(end, until)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VersionRefused("safetensors", "The weights are no safetensors file.") from error
    if not entries or end != size - 8 - length:
        raise VersionRefused(
            "safetensors", "The weights file is cut short, or holds more than it says."
        )


def _read(path: Path, most: int, what: str) -> bytes:
    if not path.is_file():
        raise VersionRefused(what, f"The {what} {path.name} is missing.")
    if path.stat().st_size > most:
        raise VersionRefused("size", f"The {what} is larger than {most // 1024} KB.")
    return path.read_bytes()


def _text(content: bytes, what: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VersionRefused(what, f"The {what} is not written in UTF-8.") from error
    if what != "manifest" and "\0" in text:
        raise VersionRefused(what, f"The {what} holds NUL characters: it is no text.")
    return text


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _walk(value: Any) -> Iterator[Any]:
    """Every key and value in a JSON document."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
