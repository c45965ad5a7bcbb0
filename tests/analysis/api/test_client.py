"""The Python client against the whole product: uploads that are cut off, waiting, the example, many
files with the server killed, webhooks that arrive, and twenty streams at once."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest

from sonicsite.processes import wait_until
from tests import many_uploads
from tests.analysis.api.receiver import Receiver
from tests.many_uploads import Client, tiny_file
from tests.stack import BASE_DIR

sys.path.insert(0, str(BASE_DIR / "clients" / "python"))

from sonic_vision import Refused, uploading, verify

pytestmark = pytest.mark.timeout(900)
FILES = 10


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = many_uploads.stack_for_uploads(
        tmp_path_factory.mktemp("stack"), LISTEN_WORKERS="1", WEBHOOK_ALLOW_PRIVATE="1"
    )
    try:
        stack.start()
        stack.wait_ready(seconds=300)
        yield stack
    finally:
        stack.end()


@pytest.fixture(scope="module")
def token(stack):
    return many_uploads.token_of(stack)


@pytest.fixture
def client(stack, token):
    with Client(stack.url, token) as client:
        yield client


def test_many_files_with_cut_connections_and_killed_servers(stack, token, tmp_path):
    """The proof of ``tests/many_uploads.py``, in small (what killed workers do, another test
    tells)."""
    outcome = many_uploads.run(
        stack, token, tmp_path, FILES, share=1.0, most_bytes=150_000, kill_workers=False
    )
    assert outcome.is_right, outcome
    assert outcome.connections_cut >= 1, outcome
    assert outcome.servers_killed == 2, outcome


def test_an_upload_goes_on_where_it_was_and_is_waited_for(client, token, stack, tmp_path):
    path = tmp_path / "half way.wav"
    path.write_bytes(tiny_file(90_001))
    size = path.stat().st_size
    pieces = {"where": {}, "piece_bytes": 8_000, "in_one_call_bytes": 0}

    class Away(Exception):
        pass

    def leave(sent, total):
        if sent >= 16_000:
            raise Away

    with pytest.raises(Away):
        uploading.send_file(client.transport, path, on_progress=leave, **pieces)
    seen = []
    with Client(stack.url, token) as another:
        upload = uploading.send_file(
            another.transport, path, on_progress=lambda *now: seen.append(now), **pieces
        )
    assert seen[0] == (16_000, size), "it goes on, from another process too"
    assert seen[-1] == (size, size)
    assert upload.state == "accepted"
    again = client.upload(path)
    assert (again.is_duplicate, again.revision) == (True, upload.revision)
    progress = []
    job = client.wait_for(upload, timeout_s=300, on_progress=progress.append)
    assert (job.state, job.revision) == ("done", upload.revision)
    assert progress[-1].state == "done"
    assert [one.id for one in client.jobs(revision=upload.revision)] == [job.id]
    broken = tmp_path / "no.wav"
    broken.write_bytes(b"this is no music at all" * 100)
    with pytest.raises(Refused):
        client.upload(broken)


def test_the_example_can_be_run_twice(stack, token, tmp_path):
    folder = tmp_path / "music" / "album"
    folder.mkdir(parents=True)
    (folder / "song.wav").write_bytes(tiny_file(91_000))
    (folder / "broken.mp3").write_bytes(b"nothing" * 50)
    target = tmp_path / "results.csv"
    before = stack.ask("SELECT count(*) FROM catalog_revision")

    def run() -> list[dict[str, str]]:
        example = BASE_DIR / "clients" / "python" / "examples" / "folder_to_csv.py"
        done = subprocess.run(
            [sys.executable, str(example), str(folder.parent), str(target)],
            env={
                **os.environ,
                "PYTHONPATH": str(BASE_DIR / "clients" / "python"),
                "SONIC_VISION_URL": stack.url,
                "SONIC_VISION_TOKEN": token,
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 1, done.stderr  # one file is broken
        return list(csv.DictReader(target.open()))

    rows = run()
    assert [(row["file"], row["state"]) for row in rows] == [
        ("album/broken.mp3", "refused"),
        ("album/song.wav", "done"),
    ]
    assert rows[0]["note"]
    wanted = stack.ask(
        "SELECT r.integrated_lufs FROM analysis_report r JOIN catalog_revision v "
        f"USING (content_sha256) WHERE v.id = '{rows[1]['revision']}'"
    )
    assert float(rows[1]["integrated_lufs"]) == pytest.approx(wanted, abs=0.01)
    assert run() == rows
    target.unlink()
    assert [row["revision"] for row in run()] == [row["revision"] for row in rows]
    assert stack.ask("SELECT count(*) FROM catalog_revision") == before + 1


def test_webhooks_arrive_signed(client, tmp_path):
    receiver = Receiver()
    try:
        hook = client.create_webhook(
            receiver.url("/ok"), ["track.created", "revision.created", "analysis.finished"]
        )
        client.ping_webhook(hook.id)
        path = tmp_path / "told.wav"
        path.write_bytes(tiny_file(92_000))
        upload = client.upload(path)

        def messages():
            return [verify(hook.secret, one.headers, one.body) for one in receiver.taken]

        assert wait_until(lambda: len(receiver.taken) >= 4, 240.0, every=0.1), receiver.taken
        found = {message.kind: message for message in messages()}
        assert set(found) == {"ping", "track.created", "revision.created", "analysis.finished"}
        told = found["analysis.finished"].data
        assert (told["track"], told["revision"]) == (upload.track, upload.revision)
        assert client.get(told["links"]["track"])["title"] == "told"
    finally:
        receiver.close()


def test_twenty_streams_leave_room_for_everybody_else(stack, token, client):
    job = next(client.jobs())
    address = f"{stack.url}/api/v1/events/?track={job.track}"
    lock, opened, refused = threading.Lock(), [], []

    def listen():
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
        try:
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            with lock:
                refused.append((error.code, int(error.headers["Retry-After"])))
        else:
            response.readline()
            with lock:
                opened.append(response)

    threads = [threading.Thread(target=listen) for _ in range(40)]
    with ExitStack() as held:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for response in opened:
            held.callback(response.close)
        # Twelve in each of the two processes; how forty fall on the two, the kernel decides.
        assert 12 <= len(opened) <= 24
        assert set(refused) == {(503, 5)}
        times = []
        for _ in range(10):
            started = time.monotonic()
            assert urllib.request.urlopen(f"{stack.url}/healthz", timeout=10).status == 200
            times.append(time.monotonic() - started)
        assert sorted(times)[5] < 5.0, times
        # Each says something at least every five seconds, so that a broken one is noticed.
        started = time.monotonic()
        for line in opened[0]:
            if line.startswith(b"data: "):
                assert json.loads(line[6:])["track"] == job.track
            if line.startswith(b": still here"):
                break
        assert time.monotonic() - started < 60.0
    assert wait_until(lambda: stays_open(address, token), 20.0, every=0.5), "places come back"


def stays_open(address: str, token: str) -> bool:
    """Whether a new stream gets a place."""
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status == 200
    except urllib.error.HTTPError:
        return False
