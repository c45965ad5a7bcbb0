"""What tests of webhooks share: endpoints, partners, jobs in hand, and attempts without threads."""

from __future__ import annotations

import uuid

from django.utils import timezone

from analysis import jobs
from analysis.api.webhooks import delivering, sending, services
from analysis.models import Job
from catalog.models import PartnerGrant, WebhookEndpoint, WebhookEvent
from tests.factories import UserFactory

SITE = "https://music.example"
ALL = [
    "track.created",
    "revision.created",
    "analysis.finished",
    "analysis.failed",
    "stems.finished",
    "voice.finished",
    "lyrics.finished",
    "grant.revoked",
]


def endpoint_of(user, url="https://example.com/hook", events=ALL) -> WebhookEndpoint:
    return services.create_endpoint(user, url=url, events=events, site_url=SITE)[0]


def partner_of(artist, scopes=("read",)):
    partner = UserFactory(role="partner")
    PartnerGrant.objects.create(artist=artist, partner=partner, scopes=list(scopes))
    return partner


def running(job: Job) -> Job:
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    found = jobs.claim(job.pk, ticket)
    assert found is not None
    return found


def kinds() -> list[str]:
    return sorted(WebhookEvent.objects.values_list("kind", flat=True))


def attempt_all(post=sending.post) -> int:
    """Fan out and attempt all that is due, in this thread."""
    delivering.fan_out()
    made = 0
    while claimed := delivering.claim(16, room_for_troubled=16):
        for one in claimed:
            delivering.attempt(one, post=post)
            made += 1
    return made


class Answers:
    """In place of the network: what a receiver would answer."""

    def __init__(self, status: int = 500) -> None:
        self.status = status
        self.calls: list[tuple[str, dict[str, str], bytes]] = []

    def __call__(self, url, *, headers, body):
        self.calls.append((url, headers, body))
        ok = 200 <= self.status < 300
        return sending.Answer(self.status, "", "" if ok else f"It answered {self.status}.", 5)
