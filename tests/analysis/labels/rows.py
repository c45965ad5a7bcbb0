"""Clips, ballots and decisions as bare rows, for tests that hear nothing."""

from __future__ import annotations

import hashlib
from typing import Any

from analysis.labels.models import Ballot, TimbreTag, VoiceClip, Vote
from catalog.models import Role, User


def clip(name: str, **fields: Any) -> VoiceClip:
    """A clip of that name whose file nobody opens."""
    return VoiceClip.objects.create(
        name=name,
        **{
            "singer": "anna",
            "start_s": 0.0,
            "end_s": 3.0,
            "file": f"clips/{name}",
            "content_sha256": hashlib.sha256(name.encode()).hexdigest(),
            "lot": 0.5,
            **fields,
        },
    )


def ballot(of: VoiceClip, rater: User | None = None, *, fields: Any = None, **votes: str) -> Ballot:
    """``ballot(clip, rater, breathy="yes", rough="no")``."""
    made = Ballot.objects.create(clip=of, rater=rater, **(fields or {}))
    for slug, answer in votes.items():
        Vote.objects.create(ballot=made, tag=TimbreTag.objects.get(slug=slug), answer=answer)
    return made


def labeller(name: str) -> User:
    """Somebody of the labelling staff."""
    return User.objects.create_user(f"{name}@example.org", "a-long-passphrase", role=Role.LABELLER)


def staff(name: str = "chief") -> User:
    """Somebody who decides."""
    return User.objects.create_superuser(f"{name}@example.org", "a-long-passphrase")
