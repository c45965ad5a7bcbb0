"""A small world for the interface: two artists, partners, staff, and tokens for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from rest_framework.test import APIClient

from analysis.api.webhooks.services import create_endpoint, ping
from analysis.discovery import playlists
from catalog.models import Album, Artist, Revision, Role, Track, Upload, User
from catalog.partner_models import PartnerGrant, Scope
from catalog.partner_tokens import create_token
from catalog.webhook_models import DeliveryState
from tests.analysis.api import analysed
from tests.factories import (
    AlbumFactory,
    ArtistFactory,
    JobFactory,
    RevisionFactory,
    TrackFactory,
    UserFactory,
)

V1 = "/api/v1/"
SITE = "http://testserver"


def client_of(user: User, *scopes: str, **extra: Any) -> APIClient:
    """A client with a new token of ``user``; all scopes if none are named."""
    made = create_token(user, name="Test", scopes=scopes or Scope.values)
    return APIClient(headers={"Authorization": f"Bearer {made.secret}", **extra})


@dataclass
class World:
    """Rows of one artist, and everybody who may or may not see them."""

    artist: Artist
    other: Artist
    partner: User
    stranger: User
    staff: User
    album: Album
    track: Track
    revision: Revision
    job: Any
    upload: Upload
    webhook: Any
    delivery: Any
    target: Any
    snippet: Any
    playlist: Any
    grant: PartnerGrant
    clients: dict[str, APIClient] = field(default_factory=dict)


@pytest.fixture
def world(db) -> World:
    artist, other = ArtistFactory(name="Slow Light"), ArtistFactory(name="Elsewhere")
    partner, stranger = (UserFactory(role=Role.PARTNER) for _ in range(2))
    staff = UserFactory(is_staff=True, is_superuser=True)
    album = AlbumFactory(artist=artist, title="Night Windows")
    track = TrackFactory(artist=artist, album=album, title="Harbour", position=1)
    revision = RevisionFactory(track=track)
    analysed.heard(revision)
    analysed.separated(revision)
    analysed.sung(revision)
    analysed.worded(revision)
    grant = PartnerGrant.objects.create(
        artist=artist, partner=partner, scopes=[Scope.READ, Scope.WRITE, Scope.AUDIO]
    )
    upload = Upload.objects.create(
        artist=artist, filename="quay.wav", length_bytes=10, expires_at=now() + timedelta(hours=1)
    )
    webhook, _ = create_endpoint(
        artist.user, url="https://example.org/hook", events=["analysis.finished"], site_url=SITE
    )
    playlist = playlists.create(artist, "Night drive")
    playlists.add(playlist, [track.pk])
    delivery = ping(webhook)
    type(delivery).objects.filter(pk=delivery.pk).update(state=DeliveryState.DELIVERED)
    made = World(
        artist=artist,
        other=other,
        partner=partner,
        stranger=stranger,
        staff=staff,
        album=album,
        track=track,
        revision=revision,
        job=JobFactory(revision=revision),
        upload=upload,
        webhook=webhook,
        delivery=delivery,
        target=analysed.target_of(artist),
        snippet=analysed.lent(artist.user),
        playlist=playlist,
        grant=grant,
    )
    people = {
        "owner": artist.user,
        "other artist": other.user,
        "partner": partner,
        "stranger": stranger,
        "staff": staff,
    }
    made.clients = {name: client_of(user) for name, user in people.items()}
    made.clients["anonymous"] = APIClient()
    return made
