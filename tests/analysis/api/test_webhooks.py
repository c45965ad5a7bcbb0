"""Events: what is written down, who is told, and what the message says."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from analysis import jobs
from analysis.api.webhooks import delivering, services, signing
from analysis.models import Job, Stage
from catalog.models import Role, WebhookDelivery, WebhookEndpoint, WebhookEvent
from catalog.partner_services import revoke_grant
from catalog.services.new_tracks import NewTrack, create_tracks
from tests.analysis.api.webhook_world import (
    ALL,
    SITE,
    Answers,
    attempt_all,
    endpoint_of,
    kinds,
    partner_of,
    running,
)
from tests.factories import ArtistFactory, JobFactory, RevisionFactory, TrackFactory, UserFactory

pytestmark = pytest.mark.django_db


class TestWhatIsWrittenDown:
    def test_every_kind_from_what_makes_it_true(self):
        artist = ArtistFactory()
        endpoint_of(artist.user)
        (track,) = create_tracks(artist, [NewTrack(title="Harbour")])
        assert kinds() == ["track.created"]
        revision = RevisionFactory(track=track)
        RevisionFactory(track=track, number=2)
        assert kinds() == ["revision.created", "revision.created", "track.created"]
        WebhookEvent.objects.all().delete()
        for stage in Stage.values:
            jobs.finish(running(JobFactory(revision=revision, stage=stage)))
        assert kinds() == [
            "analysis.finished",
            "lyrics.finished",
            "stems.finished",
            "voice.finished",
        ]
        WebhookEvent.objects.all().delete()
        # A failed attempt that is tried again is nobody's business; a final failure is.
        for final in (False, True):
            job = running(JobFactory(revision=revision, model_version=f"other-{final}"))
            jobs.fail(job, code="no_audio", reason="There is no sound in it.", final=final)
        (event,) = WebhookEvent.objects.all()
        assert event.kind == "analysis.failed"
        assert event.data == {
            "track": str(revision.track_id),
            "revision": str(revision.pk),
            "job": str(job.pk),
            "stage": "listen",
            "reason_code": "no_audio",
        }

    def test_a_job_given_up_by_the_watchdog_and_those_that_waited_for_it(self):
        artist = ArtistFactory()
        endpoint_of(artist.user, events=["analysis.failed"])
        revision = RevisionFactory(track=TrackFactory(artist=artist))
        stems = running(JobFactory(revision=revision, stage=Stage.SEPARATE))
        JobFactory(revision=revision, stage=Stage.VOICE, waits_for=stems)
        Job.objects.filter(pk=stems.pk).update(
            losses=99, heartbeat_at=timezone.now() - timedelta(hours=1)
        )
        jobs.requeue_lost()
        jobs.settle_waiting()
        failed = WebhookEvent.objects.values_list("data__stage", "data__reason_code")
        assert sorted(failed) == [("separate", "worker_lost"), ("voice", "no_separate")]

    def test_what_is_rolled_back_never_happened(self):
        artist = ArtistFactory()
        endpoint_of(artist.user)
        job = running(JobFactory(revision__track=TrackFactory(artist=artist)))
        WebhookEvent.objects.all().delete()
        with transaction.atomic():
            jobs.finish(job)
            assert kinds() == ["analysis.finished"]
            transaction.set_rollback(True)
        assert kinds() == []

    def test_nothing_is_kept_that_nobody_asked_for(self):
        artist, other = ArtistFactory(), ArtistFactory()
        endpoint_of(other.user)
        endpoint_of(artist.user, events=["stems.finished"])
        RevisionFactory(track=TrackFactory(artist=artist))
        assert kinds() == []


class TestWhoIsTold:
    def test_the_artist_and_partners_she_lets_see_it(self):
        artist = ArtistFactory()
        told = {
            endpoint_of(artist.user).pk,
            endpoint_of(partner_of(artist)).pk,
        }
        endpoint_of(partner_of(artist, scopes=["audio"]))
        endpoint_of(partner_of(ArtistFactory()))
        endpoint_of(UserFactory(is_superuser=True, is_staff=True))
        revoked = partner_of(artist)
        endpoint_of(revoked, events=["revision.created"])
        revoked.grants_received.update(revoked_at=timezone.now())
        former = partner_of(artist)
        endpoint_of(former)
        former.role = Role.ARTIST
        former.save()
        RevisionFactory(track=TrackFactory(artist=artist))
        delivering.fan_out()
        assert set(WebhookDelivery.objects.values_list("endpoint", flat=True)) == told
        assert delivering.fan_out() == 0

    def test_a_grant_taken_back_between_event_and_delivery(self):
        artist = ArtistFactory()
        partner = partner_of(artist)
        endpoint_of(partner)
        RevisionFactory(track=TrackFactory(artist=artist))
        delivering.fan_out()
        grant = partner.grants_received.get()
        revoke_grant(grant)
        answers = Answers(200)
        attempt_all(answers)
        (call,) = answers.calls
        assert json.loads(call[2])["type"] == "grant.revoked"
        states = WebhookDelivery.objects.values_list("event__kind", "state")
        assert sorted(states) == [
            ("grant.revoked", "delivered"),
            ("revision.created", "withheld"),
        ]
        revoke_grant(grant)
        assert delivering.fan_out() == 0, "said once"


class TestMessages:
    def test_body_headers_and_signature(self):
        artist = ArtistFactory()
        _, secret = services.create_endpoint(
            artist.user, url="https://example.com/h", events=ALL, site_url=SITE
        )
        revision = RevisionFactory(track=TrackFactory(artist=artist))
        job = running(JobFactory(revision=revision))
        WebhookEvent.objects.all().delete()
        jobs.finish(job)
        answers = Answers(204)
        attempt_all(answers)
        ((url, headers, body),) = answers.calls
        event = WebhookEvent.objects.get()
        assert url == "https://example.com/h"
        assert headers["webhook-id"] == f"msg_{event.pk.hex}"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
        assert headers["webhook-signature"] == signing.sign(
            secret,
            message_id=headers["webhook-id"],
            timestamp=int(headers["webhook-timestamp"]),
            body=body,
        )
        document = json.loads(body)
        links = document["data"].pop("links")
        assert document == {
            "type": "analysis.finished",
            "version": 1,
            "id": headers["webhook-id"],
            "timestamp": document["timestamp"],
            "data": {
                "artist": artist.pk,
                "track": str(revision.track_id),
                "revision": str(revision.pk),
                "job": str(job.pk),
                "stage": "listen",
            },
        }
        assert links["track"] == f"{SITE}/api/v1/tracks/{revision.track_id}/"
        assert set(links) == {"artist", "track", "revision", "job"}
        assert secret not in WebhookEndpoint.objects.get().sealed_secret

    def test_rotation_signs_with_both_until_the_overlap_is_over(self):
        endpoint, first = services.create_endpoint(
            UserFactory(), url="https://example.com/h", events=ALL, site_url=SITE
        )
        second = services.rotate_secret(endpoint)
        answers = Answers(200)

        def signed_by() -> list[str]:
            services.ping(endpoint)
            attempt_all(answers)
            _, headers, body = answers.calls[-1]
            stamp = int(headers["webhook-timestamp"])
            return [
                name
                for name, secret in (("first", first), ("second", second))
                if signing.sign(
                    secret, message_id=headers["webhook-id"], timestamp=stamp, body=body
                )
                in headers["webhook-signature"].split()
            ]

        assert signed_by() == ["first", "second"]
        WebhookEndpoint.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
        assert signed_by() == ["second"]
