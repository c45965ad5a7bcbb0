"""An artist with songs that lie in three groups, made inside a running site for the map."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np

from tests import labelling_seed
from tests.labelling_seed import cookie_of
from tests.stack import Stack

GROUPS = 3
GENRES = ("jazz", "metal", "")


def seed_in(site: Stack, **wishes: Any) -> dict[str, Any]:
    """Run :func:`seed` in a site; returns ``tracks`` (ids by title), ``user`` and ``cookies``."""
    return labelling_seed.seed_in(site, module=__name__, **wishes)


def clear_in(site: Stack, made: dict[str, Any]) -> None:
    """Take the account and all that it has out of the site again."""
    code = f"from catalog.models import User; User.objects.get(pk={made['user']}).delete()"
    site.manage("shell", "--no-imports", "-c", code)


def seed(*, tracks: int) -> None:
    """Hidden songs of one artist that the version of today has heard; printed as JSON."""
    from analysis.versions import listen_version
    from tests.analysis.discovery.catalogue import embed
    from tests.factories import ArtistFactory, RevisionFactory, TrackFactory, UserFactory

    mark = uuid.uuid4().hex[:6]
    artist = ArtistFactory(user=UserFactory(email=f"map-{mark}@example.com"), name="Cartographer")
    rng = np.random.default_rng(3)
    middles = rng.normal(size=(GROUPS, 128))
    made = {}
    for number in range(tracks):
        group = number % GROUPS
        track = TrackFactory(artist=artist, title=f"Group {group} song {number}")
        revision = RevisionFactory(track=track, content_sha256=f"{mark}{number:04d}".ljust(64, "0"))
        embed(
            revision.content_sha256,
            middles[group] + 0.3 * rng.normal(size=128),
            model_version=listen_version(),
            genre=GENRES[group],
            genre_decided=bool(GENRES[group]),
            tempo_bpm=80.0 + 20.0 * group,
        )
        made[track.title] = str(track.pk)
    answer = {"tracks": made, "user": artist.user_id, "cookies": [cookie_of(artist.user)]}
    print(json.dumps(answer))  # noqa: T201 - the answer to the caller, in another process
