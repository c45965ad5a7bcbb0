"""The kinds of events there are, and what each says."""

from __future__ import annotations

from dataclasses import dataclass

VERSION = 1
"""Of the body's form; within a version fields are only ever added."""


@dataclass(frozen=True)
class Kind:
    """One kind of event, in words for the person who chooses it."""

    name: str
    label: str


PING = Kind("ping", "A test, sent by the button")
GRANT_REVOKED = Kind("grant.revoked", "An artist took back your access")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("track.created", "A track was added"),
        Kind("revision.created", "A new file of a track arrived"),
        Kind("analysis.finished", "A report is ready"),
        Kind("analysis.failed", "A stage failed for good"),
        Kind("stems.finished", "Stems are ready"),
        Kind("voice.finished", "The voice has been analysed"),
        Kind("lyrics.finished", "Lyrics have been written down"),
        GRANT_REVOKED,
        PING,
    )
}

CHOOSABLE = tuple(name for name in KINDS if name != PING.name)
"""What an endpoint can subscribe to; a ping always comes when it is asked for."""
