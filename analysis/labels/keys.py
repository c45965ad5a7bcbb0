"""Keys of the labelling page: which it needs itself, and which may give a tag.

Names are those of the browser's ``KeyboardEvent.key``, letters in lower case.
"""

from __future__ import annotations

PLAY_KEY = " "
REPLAY_KEY = "p"
SUBMIT_KEY = "Enter"
SKIP_KEY = "s"
BACK_KEY = "Backspace"
UNDO_KEY = "u"
HELP_KEY = "?"

RESERVED_KEYS: dict[str, str] = {
    PLAY_KEY: "play and pause",
    REPLAY_KEY: "play from the beginning",
    SUBMIT_KEY: "submit",
    SKIP_KEY: "skip the clip",
    BACK_KEY: "back to the clip before",
    UNDO_KEY: "undo",
    HELP_KEY: "show the keys",
    "/": "guidelines",
    "-": "no to all that is open",
    "ArrowLeft": "back in the clip",
    "ArrowRight": "on in the clip",
    "ArrowUp": "the tag above",
    "ArrowDown": "the tag below",
    "Escape": "close what is open",
    "Tab": "move the focus",
}

# One key per tag: plain letters, which every keyboard has without a modifier. Digits stand for the
# place of a tag that has no key.
TAG_KEYS = "abcdefghijklmnopqrstuvwxyz"


def is_free_for_tags(key: str) -> bool:
    """Whether a tag may have this key: a letter that the page does not need itself."""
    return len(key) == 1 and key.lower() in TAG_KEYS and key.lower() not in RESERVED_KEYS
