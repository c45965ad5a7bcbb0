"""Light markup of guidelines: paragraphs, ``- `` lists, ``## `` headings, ``**strong**`` and
``*emphasis*``. Everything else is text: what looks like HTML is shown, never run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_STRONG = re.compile(r"\*\*(?=\S)([^*]+)(?<=\S)\*\*")
_EMPHASIS = re.compile(r"\*(?=\S)([^*]+)(?<=\S)\*")


def as_html(text: str) -> SafeString:
    """A guideline as HTML of p, ul, li, h4, strong and em, without any attribute."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return mark_safe("\n".join(part for block in blocks for part in _block(block)))


def _block(block: str) -> Iterator[str]:
    lines = [line.strip() for line in block.split("\n") if line.strip()]
    for kind, group in groupby(lines, key=_kind):
        inside = list(group)
        if kind == "heading":
            yield from (f"<h4>{_inline(line[3:])}</h4>" for line in inside)
        elif kind == "item":
            items = "".join(f"<li>{_inline(line[2:])}</li>" for line in inside)
            yield f"<ul>{items}</ul>"
        else:
            yield f"<p>{_inline(' '.join(inside))}</p>"


def _kind(line: str) -> str:
    return "heading" if line.startswith("## ") else "item" if line.startswith("- ") else "text"


def _inline(text: str) -> str:
    escaped = str(escape(text.strip()))
    return _EMPHASIS.sub(r"<em>\1</em>", _STRONG.sub(r"<strong>\1</strong>", escaped))
