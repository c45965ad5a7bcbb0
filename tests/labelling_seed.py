"""Clips and raters for journeys and measurements, made inside a running site by ``manage.py shell``
(see :func:`seed_in`)."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from tests.stack import Stack

PREDICTED = {"warm": 0.81, "bright": 0.33, "breathy": 0.12, "rough": 0.55, "clean": 0.5}


def seed_in(site: Stack, *, module: str = __name__, **wishes: Any) -> dict[str, Any]:
    """Run :func:`seed` in a site, or that of another module; returns ``clips`` (ids) and
    ``cookies`` (one per rater)."""
    code = f"from {module} import seed; seed(**{wishes!r})"
    found: dict[str, Any] = json.loads(
        site.manage("shell", "--no-imports", "-c", code).strip().splitlines()[-1]
    )
    for cookie in found["cookies"]:
        cookie["url"] = site.url
    return found


def clear(site: Stack, made: dict[str, Any]) -> None:
    """Take the clips and what was said about them out of the site again."""
    ids = ", ".join(f"'{pk}'" for pk in made["clips"])
    of_clips = f"WHERE clip_id IN ({ids})"
    site.ask(
        f"DELETE FROM analysis_vote WHERE ballot_id IN (SELECT id FROM analysis_ballot {of_clips}) "
        "RETURNING 1"
    )
    site.ask(f"DELETE FROM analysis_ballot {of_clips} RETURNING 1")
    site.ask(f"DELETE FROM analysis_voiceclip WHERE id IN ({ids}) RETURNING 1")


def seed(*, clips: int, raters: int, is_staff: bool = False, seconds: float = 3.0) -> None:
    """Made voices as clips of the pool, and labellers who are logged in; printed as JSON."""
    from analysis.labels import label_settings
    from analysis.labels.clip_files import store_clip
    from analysis.labels.models import LabelSettings
    from tests.analysis.labels.conftest import voice
    from tests.factories import UserFactory

    label_settings.current()
    LabelSettings.objects.update(gold_share=0.0, overlap_share=0.0)
    mark = uuid.uuid4().hex[:8]
    made = [
        store_clip(
            voice(int(mark, 16) + number, seconds),
            key=f"{mark} {number}",
            singer="ada",
            predicted=PREDICTED,
        )
        for number in range(clips)
    ]
    people = [
        UserFactory(email=f"rater-{mark}-{number}@example.com", role="labeller", is_staff=is_staff)
        for number in range(raters)
    ]
    print(  # noqa: T201 - the answer to the caller, in another process
        json.dumps(
            {
                "clips": [str(clip.pk) for clip in made],
                "raters": [person.pk for person in people],
                "cookies": [cookie_of(person) for person in people],
            }
        )
    )


def cookie_of(person: Any) -> dict[str, str]:
    """Of a session in which somebody is logged in."""
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    return {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key)}
