"""Listening to what the catalogue announces, and telling it what it may ask."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings

from analysis import (
    album_check,
    library_facets,
    lyrics_services,
    release_services,
    separation_job,
    services,
    target_selectors,
    voice_services,
)
from analysis.api import idempotency
from analysis.api.webhooks import outbox
from analysis.discovery import receivers as discovery_receivers
from analysis.labels import pool_receivers
from analysis.mixing import ANY_GENRE, load_targets
from analysis.models import Stage
from analysis.registry import serving, training_runs
from analysis.sound import decode
from catalog import probing, registry, signals
from catalog.models import Revision


def probe_audio(path: Path) -> probing.ProbedAudio:
    """The catalogue's probe: decode the beginning of a file or refuse it in the artist's words."""
    try:
        info = decode.probe(path, max_duration_s=float(settings.UPLOAD_MAX_SECONDS))
    except decode.UndecodableAudio as error:
        raise probing.FileRefused(error.code, error.message) from error
    return probing.ProbedAudio(
        duration_s=info.duration_s,
        sample_rate=info.sample_rate,
        channels=info.channels,
        codec=info.codec,
        container=info.container,
        bit_depth=info.bit_depth,
        lossless=info.lossless,
    )


def on_revision_added(revision: Revision, **_kwargs: Any) -> None:
    """A new file starts to be listened to by itself."""
    services.request_listening([revision.pk])


def on_revision_removed(content_sha256: str, **_kwargs: Any) -> None:
    """What was found in a removed file goes with it."""
    services.remove_derived_if_unowned(content_sha256)


def on_reanalysis_wanted(revision_ids: list[uuid.UUID], **_kwargs: Any) -> None:
    """The owner asked to listen again."""
    services.request_listening(revision_ids, afresh=True)


def genre_choices() -> list[tuple[str, str]]:
    """Genres that a mix can be judged against."""
    return [
        (name, name[:1].upper() + name[1:]) for name in load_targets().genres if name != ANY_GENRE
    ]


def connect() -> None:
    """Connect every receiver; called once when the app is ready."""
    probing.register_probe(probe_audio)
    registry.register_genres(genre_choices)
    registry.register_own_targets(target_selectors.target_choices)
    library_facets.register()
    album_check.register()
    release_services.connect()
    separation_job.connect()
    lyrics_services.connect()
    voice_services.connect()
    discovery_receivers.connect()
    serving.connect()
    training_runs.connect()
    pool_receivers.connect()
    outbox.connect()
    services.HOUSEKEEPING.append(idempotency.tidy)
    signals.revision_added.connect(on_revision_added, dispatch_uid=f"{Stage.LISTEN}.added")
    signals.revision_removed.connect(on_revision_removed, dispatch_uid=f"{Stage.LISTEN}.removed")
    signals.reanalysis_wanted.connect(on_reanalysis_wanted, dispatch_uid=f"{Stage.LISTEN}.again")
