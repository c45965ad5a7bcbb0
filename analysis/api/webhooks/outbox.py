"""Writing down what happens, in the transaction in which it happens: all of it, or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models.signals import post_save

from analysis import jobs
from analysis.api.webhooks import services as webhook_services
from analysis.api.webhooks.entitlement import entitled_endpoints
from analysis.api.webhooks.kinds import GRANT_REVOKED
from analysis.models import Job, JobState, Stage
from analysis.services import HOUSEKEEPING
from catalog.models import PartnerGrant, Revision, Track, WebhookEvent
from catalog.signals import grant_revoked, tracks_added

_FINISHED = {
    Stage.LISTEN: "analysis.finished",
    Stage.SEPARATE: "stems.finished",
    Stage.VOICE: "voice.finished",
    Stage.LYRICS: "lyrics.finished",
}


def record(events: Sequence[WebhookEvent]) -> None:
    """Write events down, without those that nobody wants who may know. Call it inside the
    transaction that makes them true."""
    wanted: dict[tuple[Any, ...], bool] = {}
    kept = []
    for event in events:
        key = (event.kind, event.artist_id, event.recipient_id, event.endpoint_id)
        if key not in wanted:
            wanted[key] = entitled_endpoints(event).exists()
        if wanted[key]:
            kept.append(event)
    WebhookEvent.objects.bulk_create(kept)


def on_tracks_added(tracks: Sequence[Track]) -> None:
    """New tracks, with or without sound."""
    record(
        [
            WebhookEvent(
                kind="track.created", artist_id=track.artist_id, data={"track": str(track.pk)}
            )
            for track in tracks
        ]
    )


def on_revision_added(revision: Revision) -> None:
    """A new file of a track."""
    about = {"track": str(revision.track_id), "revision": str(revision.pk)}
    record([WebhookEvent(kind="revision.created", artist_id=revision.artist_id, data=about)])


def on_jobs_over(job_ids: list[uuid.UUID], state: str) -> None:
    """Stages that are done, or failed for good."""
    found = Job.objects.filter(pk__in=job_ids).select_related("revision")
    events = []
    for job in found:
        kind = "analysis.failed" if state == JobState.FAILED else _FINISHED.get(Stage(job.stage))
        if kind is None:
            continue
        data = {
            "track": str(job.revision.track_id),
            "revision": str(job.revision_id),
            "job": str(job.pk),
            "stage": job.stage,
        }
        if state == JobState.FAILED:
            data["reason_code"] = job.reason_code
        events.append(WebhookEvent(kind=kind, artist_id=job.artist_id, data=data))
    record(events)


def on_grant_revoked(grant: PartnerGrant) -> None:
    """An artist took her permission back: said to the partner alone."""
    about = {"grant": str(grant.pk), "artist": grant.artist_id}
    record([WebhookEvent(kind=GRANT_REVOKED.name, recipient_id=grant.partner_id, data=about)])


def connect() -> None:
    """Connect every receiver; called once when the app is ready."""

    def tracks_made(tracks: list[Track], **_: Any) -> None:
        on_tracks_added(tracks)

    def revision_saved(instance: Revision, created: bool, raw: bool = False, **_: Any) -> None:
        if created and not raw:
            on_revision_added(instance)

    def jobs_over(job_ids: list[uuid.UUID], state: str, **_: Any) -> None:
        on_jobs_over(job_ids, state)

    def grant_taken_back(grant: PartnerGrant, **_: Any) -> None:
        on_grant_revoked(grant)

    tracks_added.connect(tracks_made, weak=False, dispatch_uid="webhooks.tracks")
    post_save.connect(revision_saved, Revision, weak=False, dispatch_uid="webhooks.revision")
    grant_revoked.connect(grant_taken_back, weak=False, dispatch_uid="webhooks.grant")
    jobs.job_over.connect(jobs_over, Job, weak=False, dispatch_uid="webhooks.jobs")
    HOUSEKEEPING.append(webhook_services.tidy)
