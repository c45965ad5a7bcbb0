"""ETags and conditional requests (RFC 9110, section 13).

The tag of an item stands for its full representation, whatever ``fields`` were asked for: a sparse
answer has the same tag with the chosen fields' mark behind it, and If-Match takes either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from rest_framework.renderers import JSONRenderer

from analysis.api.problems import Problem


def tag_of(data: Any, *, fields: Iterable[str] | None = None) -> str:
    """A strong entity tag, quotes included."""
    found = hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32]
    if fields is not None:
        found += "-" + hashlib.sha256(",".join(sorted(fields)).encode()).hexdigest()[:8]
    return f'"{found}"'


def _tags(header: str) -> list[str]:
    # Compression on the way makes tags weak; the content they stand for is the same.
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def not_modified(header: str | None, tag: str) -> bool:
    """Whether ``If-None-Match`` names the present content."""
    return header is not None and ("*" in (tags := _tags(header)) or tag in tags)


def check_match(header: str | None, tag: str) -> None:
    """Raises Problem if ``If-Match`` is there and names another content than the present one."""
    if header is None:
        return
    wanted = {given.strip('"').partition("-")[0] for given in _tags(header)}
    if "*" not in wanted and tag.strip('"') not in wanted:
        raise Problem("precondition_failed", "Read it again, then decide.", headers={"ETag": tag})
