"""The Python client against servers that answer badly: what it repeats, and what it never does."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "clients" / "python"))

from sonic_vision import (
    ApiError,
    Client,
    ConnectionLost,
    SignatureWrong,
    TookTooLong,
    WorkFailed,
    sign,
    verify,
)
from sonic_vision.events import parse
from sonic_vision.transport import Patience

JOB = {
    "id": "j1",
    "track": "t1",
    "revision": "r1",
    "stage": "listen",
    "state": "queued",
    "percent": 0,
    "message": "",
}


class Script:
    """A server that answers what it is told, one answer after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                script.calls.append((self.command, self.path, dict(self.headers.items()), body))
                answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
                answer(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.pauses = []
        patience = Patience(attempts=4, first_pause_s=0.2, sleep=self.pauses.append)
        self.client = Client(self.url, "svp_secret", patience=patience, timeout_s=5)

    def close(self):
        self.client.close()
        self.server.shutdown()
        self.server.server_close()


def says(status, document=None, **headers):
    def answer(handler):
        content = b"" if document is None else json.dumps(document).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def cuts(handler):
    handler.close_connection = True
    handler.connection.close()


def streams(*blocks, then_wait_s=0.0):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for block in blocks:
            handler.wfile.write(block)
        handler.wfile.flush()
        time.sleep(then_wait_s)
        handler.close_connection = True

    return answer


def told(mark="", **changes):
    head = f"id: {mark}\n" if mark else ""
    return f"{head}event: job\ndata: {json.dumps({**JOB, **changes})}\n\n".encode()


@pytest.fixture
def script():
    made = []

    def make(*answers):
        made.append(Script(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_is_told_to_wait_waits_as_long_as_it_is_told(script):
    problem = {"code": "rate_limited", "title": "Too many calls", "status": 429}
    server = script(says(429, problem, Retry_After="7"), says(200, {"email": "a@b"}))
    assert server.client.me() == {"email": "a@b"}
    (pause,) = server.pauses
    assert 7.0 <= pause <= 7.3
    assert server.calls[0][2]["Authorization"] == "Bearer svp_secret"


def test_creating_is_repeated_with_the_same_key_and_changing_never(script):
    server = script(cuts, says(503, {}), says(201, {"id": "w", "secret": "s"}))
    assert server.client.create_webhook("https://a.example/", ["ping"]).secret == "s"
    keys = {call[2]["Idempotency-Key"] for call in server.calls}
    assert (len(server.calls), len(keys)) == (3, 1)
    assert server.pauses[0] < server.pauses[1] * 2 + 0.2
    server = script(cuts)
    with pytest.raises(ConnectionLost):
        server.client.patch("tracks/x/", {"title": "New"})
    assert len(server.calls) == 1
    # Turned away before it began, it may be made again.
    server = script(says(503, {}, Retry_After="1"), says(200, {"title": "New"}))
    assert server.client.patch("tracks/x/", {"title": "New"}) == {"title": "New"}


def test_a_problem_is_told_whole_and_not_repeated(script):
    document = {
        "code": "invalid",
        "detail": "Look at: url.",
        "request_id": "r-1",
        "errors": [{"field": "url", "code": "invalid", "message": "No."}],
    }
    server = script(says(400, document))
    with pytest.raises(ApiError) as error:
        server.client.post("webhooks/", {})
    assert (error.value.status, error.value.code) == (400, "invalid")
    assert error.value.request_id == "r-1"
    assert error.value.errors[0]["field"] == "url"
    assert len(server.calls) == 1
    server = script(says(500, {"code": "internal"}))
    with pytest.raises(ApiError):
        server.client.me()
    assert len(server.calls) == 4, "it gives up in the end"


def test_pages_are_walked_to_the_end_and_never_to_another_server(script):
    server = script(says(200, {}))
    server.answers = [
        says(
            200, {"results": [{"id": 1, "name": "A"}], "next": f"{server.url}/api/v1/artists/?c=2"}
        ),
        says(200, {"results": [{"id": 2, "name": "B", "new": 1}], "next": "http://evil.example/x"}),
        says(200, {}),
    ]
    rows = server.client.artists(limit=1)
    assert [next(rows).name, next(rows).name] == ["A", "B"]
    assert [call[1] for call in server.calls] == [
        "/api/v1/artists/?limit=1",
        "/api/v1/artists/?c=2",
    ]
    with pytest.raises(ValueError, match=r"evil\.example"):
        next(rows)
    assert len(server.calls) == 2


def test_events_are_read_as_the_standard_says():
    lines = b'retry: 5\n\n: note\n\nid: 7\nevent: job\ndata: {"a":\ndata: 1}\n\ndata: 2\n\ndata: 3'
    found = list(parse(line + b"\r\n" for line in lines.split(b"\n")[:-1]))
    assert [(one.kind, one.data, one.id) for one in found] == [
        ("job", {"a": 1}, "7"),
        ("message", 2, "7"),
    ]


def test_waiting_follows_the_stream_and_comes_back_where_it_was(script):
    server = script(
        streams(told("m1"), b": still here\n\n", told("m2", state="running", percent=40)),
        streams(told("m3", state="done", percent=100)),
    )
    seen = []
    job = server.client.wait_for("j1", on_progress=lambda job: seen.append(job.percent))
    assert (job.state, seen) == ("done", [0, 40, 100])
    paths = {call[1] for call in server.calls}
    assert paths == {"/api/v1/jobs/j1/events/"}
    assert server.calls[1][2]["Last-Event-ID"] == "m2"


def test_waiting_asks_now_and_then_where_streams_do_not_come_through(script, monkeypatch):
    monkeypatch.setattr("sonic_vision.events.FIRST_POLL_S", 0.05)
    done = {**JOB, "state": "done", "percent": 100}
    busy = says(503, {"code": "unavailable"}, Retry_After="5")
    server = script(busy, says(200, JOB), says(200, done))
    assert server.client.wait_for("j1").state == "done"
    assert [call[1] for call in server.calls] == [
        "/api/v1/jobs/j1/events/",
        "/api/v1/jobs/j1/",
        "/api/v1/jobs/j1/",
    ]
    # A proxy that swallows the stream.
    monkeypatch.setattr("sonic_vision.events.SILENCE_S", 0.1)
    monkeypatch.setattr("sonic_vision.events._GIVE_UP_STREAMS_AFTER", 1)
    server = script(streams(then_wait_s=0.5), says(200, done))
    assert server.client.wait_for("j1").state == "done"
    server = script(says(404, {"code": "not_found"}), says(404, {"code": "not_found"}))
    with pytest.raises(ApiError, match="not_found"):
        server.client.wait_for("j1")


def test_waiting_ends_with_failures_and_in_time(script):
    failed = told("m", state="failed", reason="There is no sound in it.")
    with pytest.raises(WorkFailed, match="no sound"):
        script(streams(failed)).client.wait_for("j1")
    with pytest.raises(TookTooLong):
        script(streams(told("m"))).client.wait_for("j1", timeout_s=0.2)


class TestSignatures:
    # The example of the specification's reference libraries.
    SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    BODY = b'{"test": 2432232314}'
    HEADERS = {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }

    def check(self, *, secret=SECRET, body=BODY, now=1614265330.0, **headers):
        named = {name.lower(): value for name, value in self.HEADERS.items()}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return verify(secret, named, body, now=now).document["test"]

    def test_what_is_right(self):
        assert self.check() == 2432232314
        assert self.check(secret=["whsec_AAAA", self.SECRET]) == 2432232314
        both = "v1,AAAA " + self.HEADERS["webhook-signature"] + " v2,x"
        assert self.check(webhook_signature=both) == 2432232314
        assert self.check(now=1614265330.0 + 299) == 2432232314

    @pytest.mark.parametrize(
        "changes",
        [
            {"body": b'{"test": 2432232315}'},
            {"secret": "whsec_AAAA"},
            {"now": 1614265330.0 + 301},
            {"now": 1614265330.0 - 301},
            {"webhook_id": "msg_other"},
            {"webhook_timestamp": "1614265331"},
            {"webhook_timestamp": "soon"},
            {"webhook_signature": ""},
            {"webhook_signature": "v1,ü"},
            {"webhook_signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        ],
    )
    def test_what_is_wrong(self, changes):
        with pytest.raises(SignatureWrong):
            self.check(**changes)

    def test_a_message_is_read(self):
        body = b'{"type": "ping", "data": {"text": "x"}}'
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": "50",
            "webhook-signature": sign(self.SECRET, message_id="msg_1", timestamp=50, body=body),
        }
        message = verify(self.SECRET, headers, body, now=50)
        assert (message.id, message.kind, message.data) == ("msg_1", "ping", {"text": "x"})
