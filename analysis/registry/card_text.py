"""A model card as HTML. Cards may come from anywhere: no HTML of theirs, no images, no addresses
but those of the web."""

from __future__ import annotations

import logging
from functools import cache

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

log = logging.getLogger(__name__)

_LONGEST = 200_000
_SAFE_STARTS = ("https://", "http://", "mailto:")


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table")
    parser.disable(["html_block", "html_inline", "image"])
    parser.validateLink = lambda url: url.strip().lower().startswith(_SAFE_STARTS)  # type: ignore[method-assign]
    return parser


def card_html(card: str) -> SafeString:
    """A card written in Markdown, as HTML whose headings begin at the third level."""
    tokens = _parser().parse(card[:_LONGEST])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        # Column alignment would be an inline style, which the site's policy forbids.
        token.attrs.pop("style", None)
        for child in token.children or []:
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noopener noreferrer")
    try:
        html = _parser().renderer.render(tokens, _parser().options, {})
    except (ValueError, RecursionError):
        log.exception("a model card cannot be rendered")
        html = f"<pre>{escape(card[:_LONGEST])}</pre>"
    # The parser has escaped everything that was in the card.
    return mark_safe(html)
