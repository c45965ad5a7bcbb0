"""Deliveries: how often they are tried, what is given up, and senders that are slow or die."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from analysis.api.webhooks import delivering, sending, services
from analysis.api.webhooks.sender import Sender
from catalog.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tests.analysis.api.receiver import Receiver
from tests.analysis.api.webhook_world import SITE, Answers, attempt_all, endpoint_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    receiver = Receiver()
    yield receiver
    receiver.close()


def due_now() -> None:
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


class TestTryingAgain:
    def test_for_a_day_in_growing_steps_and_then_no_more(self, monkeypatch):
        endpoint = endpoint_of(UserFactory())
        delivery = services.ping(endpoint)
        answers = Answers(500)
        start = now = timezone.now() + timedelta(seconds=1)
        moments = []
        while True:
            monkeypatch.setattr(delivering.timezone, "now", lambda: now)  # noqa: B023
            attempt_all(answers)
            moments.append((now - start).total_seconds())
            delivery.refresh_from_db()
            if delivery.state != "pending":
                break
            now = max(delivery.next_attempt_at, now) + timedelta(microseconds=1)
            # What the endpoint is: one that has failed for a day is not yet switched off.
            assert len(moments) < 40
        pauses = [b - a for a, b in itertools.pairwise(moments)]
        assert delivery.state == "dead"
        assert 10 <= len(moments) <= 16
        assert moments[-1] == pytest.approx(86_400, abs=5)
        for pause, expected in zip(pauses[:6], [10, 30, 90, 270, 810, 2430], strict=False):
            assert 0.79 * expected < pause < 1.21 * expected
        assert max(pauses) <= 4 * 3600 * 1.2 + 1
        assert len({call[1]["webhook-id"] for call in answers.calls}) == 1
        assert len({call[2] for call in answers.calls}) == 1, "the same bytes every time"

    def test_jitter_parts_what_failed_together_and_retry_after_is_heeded(self):
        pauses = {round(delivering.pause_s(5), 3) for _ in range(50)}
        assert len(pauses) > 40
        assert delivering.pause_s(1, asked_for_s=600) == 600
        assert delivering.pause_s(1, asked_for_s=10**9) == 4 * 3600

    def test_dead_letters_are_sent_again_one_or_all(self, receiver):
        endpoint = endpoint_of(UserFactory(), url=receiver.url("/ok"))
        rows = [services.ping(endpoint) for _ in range(5)]
        WebhookDelivery.objects.update(state="dead", attempts=13)
        assert services.replay(rows[0])
        assert not services.replay(rows[0]), "it waits already"
        assert services.replay_dead(endpoint) == 4
        assert attempt_all() == 5
        assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
        ids = [taken.headers["webhook-id"] for taken in receiver.taken]
        assert sorted(ids) == sorted(f"msg_{row.event_id.hex}" for row in rows)
        assert services.replay(rows[1]), "what was delivered can be sent once more, too"
        attempt_all()
        assert receiver.taken[-1].headers["webhook-id"] == f"msg_{rows[1].event_id.hex}"

    def test_after_days_of_failures_it_is_switched_off_and_its_owner_told(self):
        user = UserFactory()
        endpoint = endpoint_of(user, events=["grant.revoked"])
        services.ping(endpoint)
        attempt_all(Answers(500))
        endpoint.refresh_from_db()
        assert endpoint.active
        assert mail.outbox == []
        WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=5, minutes=1))
        due_now()
        attempt_all(Answers(500))
        endpoint.refresh_from_db()
        assert not endpoint.active
        assert "5 days" in endpoint.disabled_reason
        (message,) = mail.outbox
        assert message.to == [user.email]
        assert endpoint.url in message.body
        assert f"{SITE}/webhooks/{endpoint.pk}/" in message.body
        assert WebhookDelivery.objects.get().state == "dead"
        with pytest.raises(ValidationError):
            services.replay_dead(endpoint)
        services.update_endpoint(endpoint, active=True)
        assert services.replay_dead(endpoint) == 1
        attempt_all(Answers(200))
        endpoint.refresh_from_db()
        assert endpoint.failing_since is None

    def test_one_success_ends_the_count_and_gone_means_gone(self):
        endpoint = endpoint_of(UserFactory())
        services.ping(endpoint)
        attempt_all(Answers(500))
        WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=9))
        due_now()
        attempt_all(Answers(200))
        endpoint.refresh_from_db()
        assert endpoint.active
        assert endpoint.failing_since is None
        services.ping(endpoint)
        attempt_all(Answers(410))
        endpoint.refresh_from_db()
        assert not endpoint.active
        assert "410" in endpoint.disabled_reason

    def test_a_sender_thought_dead_cannot_write_over_its_successor(self):
        endpoint = endpoint_of(UserFactory())
        delivery = services.ping(endpoint)
        (slow,) = delivering.claim(1, room_for_troubled=1)
        assert delivering.claim(1, room_for_troubled=1) == []

        def overtaken(url, *, headers, body):
            # While it waits for an answer its lock ends, and another sender succeeds.
            WebhookDelivery.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
            (second,) = delivering.claim(1, room_for_troubled=1)
            delivering.attempt(second, post=Answers(200))
            return sending.Answer(None, "", "No complete answer.", 15_000)

        delivering.attempt(slow, post=overtaken)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.error) == ("delivered", "")


class TestLimits:
    def test_rules_of_an_endpoint(self):
        user = UserFactory()
        for _ in range(services.MAX_ENDPOINTS):
            endpoint = endpoint_of(user)
        with pytest.raises(ValidationError, match="room for 10"):
            endpoint_of(user)
        for wrong in ({"url": "http://169.254.169.254/"}, {"events": ["nope"]}, {"events": []}):
            with pytest.raises(ValidationError):
                services.update_endpoint(endpoint, **wrong)
        with pytest.raises(ValidationError):
            services.update_endpoint(endpoint, description="x" * 201)

    def test_old_events_are_forgotten_unless_they_wait(self):
        endpoint = endpoint_of(UserFactory())
        services.ping(endpoint)
        services.ping(endpoint)
        attempt_all(Answers(200))
        waiting = services.ping(endpoint)
        WebhookEvent.objects.update(created_at=timezone.now() - timedelta(days=31))
        assert services.tidy() == 2
        assert WebhookDelivery.objects.get() == waiting


@pytest.mark.django_db(transaction=True)
def test_slow_endpoints_do_not_hold_up_the_others(receiver, monkeypatch):
    """Ten endpoints that take seconds, 20 messages each, and one quick one with 60."""
    monkeypatch.setattr(services, "PINGS_PER_MINUTE", 1_000)
    for _ in range(10):
        slow = endpoint_of(UserFactory(), url=receiver.url("/slow/20"))
        for _ in range(20):
            services.ping(slow)
    # They have been slow before; the first of them would show it after one answer.
    WebhookEndpoint.objects.update(last_ms=9_000)
    quick = endpoint_of(UserFactory(), url=receiver.url("/ok"))
    for _ in range(60):
        services.ping(quick)
    sender = Sender()
    thread = threading.Thread(target=sender.run)
    started = time.monotonic()
    thread.start()
    try:
        while time.monotonic() - started < 150:
            if WebhookDelivery.objects.filter(endpoint=quick, state="delivered").count() == 60:
                break
            time.sleep(0.05)
        elapsed = time.monotonic() - started
    finally:
        sender.stop()
        receiver.closing.set()
        thread.join()
        connection.close()
    held = [taken for taken in receiver.taken if taken.path == "/slow/20"]
    assert WebhookDelivery.objects.filter(endpoint=quick, state="delivered").count() == 60
    # In turn, 200 messages of 15 seconds would keep 16 threads busy for three minutes.
    assert elapsed < 120
    if elapsed < 14:
        assert 1 <= len(held) <= 8, "half of the threads at most, one for each endpoint"


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_in_the_middle_loses_nothing(receiver):
    """Ten deliveries in hand when the process is killed: all come again, with the same ids."""
    endpoint = endpoint_of(UserFactory(), url=receiver.url("/slow/1.5"))
    others = [endpoint_of(UserFactory(), url=receiver.url("/slow/1.5")) for _ in range(2)]
    rows = [services.ping(one) for one in (endpoint, endpoint, endpoint, endpoint, *others * 3)]
    env = {**os.environ, "WEBHOOK_ALLOW_PRIVATE": "1", "OMP_NUM_THREADS": "1"}
    env["EMBEDDED_DATABASE_URL"] = database_url()
    env.pop("DATABASE_URL", None)
    command = [sys.executable, "manage.py", "send_webhooks"]
    process = subprocess.Popen(command, cwd=django_settings.BASE_DIR, env=env)
    try:
        deadline = time.monotonic() + 180
        while len(receiver.taken) < 10 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(receiver.taken) == 10
    assert WebhookDelivery.objects.filter(state="pending", attempts=1).count() == 10
    WebhookDelivery.objects.update(locked_until=timezone.now())
    receiver.closing.set()  # it answers at once now
    assert Sender().run(until_idle=True) == 10
    ids = [taken.headers["webhook-id"] for taken in receiver.taken]
    assert sorted(ids) == sorted(2 * [f"msg_{row.event_id.hex}" for row in rows])
    assert WebhookDelivery.objects.filter(state="delivered", attempts=2).count() == 10


def database_url() -> str:
    """The address of this test's own database."""
    config = connection.settings_dict
    return (
        f"postgresql://{quote(config['USER'])}@/{config['NAME']}?host={quote(config['HOST'])}"
        + (f"&port={config['PORT']}" if config["PORT"] else "")
    )
