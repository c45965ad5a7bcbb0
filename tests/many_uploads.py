"""Many tracks through the API, with connections cut and the server killed: all arrive, none twice.

    python -m tests.many_uploads 10000

starts the product in a folder of its own, sends that many tiny files with the Python client through
a proxy that cuts every other connection in the middle, kills the web server twice and the workers
once, waits for every report and counts. Exit code 0 if there are exactly as many reports as files.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.cutting_proxy import CuttingProxy
from tests.stack import BASE_DIR, Stack

sys.path.insert(0, str(BASE_DIR / "clients" / "python"))

from sonic_vision import Client
from sonic_vision.transport import Patience

RATE = 11_025
SECONDS = 1.5
_NO_LIMITS = {
    "API_CALLS_PER_MINUTE": "1000000",
    "API_COSTLY_CALLS_PER_MINUTE": "1000000",
    "REQUESTS_PER_SECOND": "10000",
    "UPLOADS_PER_HOUR": "1000000",
}
_MAKE_TOKEN = """
from catalog.models import User
from catalog.services import ensure_artist
from catalog.partner_tokens import create_token
user = User.objects.create_user("many@example.com", "a-long-enough-passphrase")
ensure_artist(user)
print("TOKEN", create_token(user, name="many", scopes=["read", "write", "webhooks"]).secret)
"""


@dataclass
class Outcome:
    """What came of it; rates in tracks per second."""

    files: int
    revisions: int
    tracks: int
    contents: int
    jobs: int
    jobs_done: int
    reports: int
    connections_cut: int
    servers_killed: int
    workers_killed: int
    upload_s: float
    uploads_per_s: float
    all_s: float
    reports_per_s: float

    @property
    def is_right(self) -> bool:
        """As many of everything as files."""
        counts = (self.revisions, self.tracks, self.contents, self.jobs, self.jobs_done)
        return {*counts, self.reports} == {self.files}


def stack_for_uploads(folder: Path, **env: str) -> Stack:
    """A stack without demo and without limits on calls."""
    return Stack(folder / "data", DEMO="0", HEAVY_WORKERS="0", **{**_NO_LIMITS, **env})


def token_of(stack: Stack) -> str:
    """The token of a new artist."""
    said = stack.manage("shell", "-c", _MAKE_TOKEN)
    return next(line.split()[1] for line in said.splitlines() if line.startswith("TOKEN"))


def tiny_file(number: int) -> bytes:
    """A WAV of a second and a half that is no other's."""
    noise = np.random.default_rng(number)
    time_s = np.arange(int(RATE * SECONDS)) / RATE
    tone = np.sin(2 * np.pi * (110.0 + number % 880) * time_s) * 0.3
    samples = tone + noise.normal(0.0, 0.02, len(time_s))
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return target.getvalue()


class Sending:
    """Files on their way from several threads; ``sent`` counts those that have arrived."""

    def __init__(self, url: str, token: str, folder: Path, threads: int) -> None:
        self._url, self._token, self._folder = url, token, folder
        self._threads = threads
        self._local = threading.local()
        self.sent = 0
        self._lock = threading.Lock()

    def send(self, numbers: Sequence[int]) -> None:
        """Send all; raises what could not be got over."""
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(self._one, numbers):
                pass

    def _one(self, number: int) -> None:
        client = getattr(self._local, "client", None)
        if client is None:
            patience = Patience(attempts=30, first_pause_s=0.1)
            client = self._local.client = Client(self._url, self._token, patience=patience)
        path = self._folder / f"track {number:05d}.wav"
        path.write_bytes(tiny_file(number))
        # Every hundredth goes the resumable way, in pieces.
        if number % 100 == 0:
            from sonic_vision import uploading

            uploading.send_file(
                client.transport, path, where={}, piece_bytes=8_000, in_one_call_bytes=0
            )
        else:
            client.upload(path)
        path.unlink()
        with self._lock:
            self.sent += 1


def kill(pids: Sequence[int]) -> int:
    """Kill processes of the stack; returns how many there were."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return len(pids)


def run(
    stack: Stack,
    token: str,
    folder: Path,
    files: int,
    *,
    threads: int = 4,
    share: float = 0.5,
    most_bytes: int = 400_000,
    kill_workers: bool = True,
) -> Outcome:
    """Send and count. The stack runs already; ``share`` of the connections are cut, after
    ``most_bytes`` at the latest."""
    proxy = CuttingProxy(stack.port, share=share, most_bytes=most_bytes)
    sending = Sending(f"http://127.0.0.1:{proxy.port}", token, folder, threads)
    numbers = list(range(files))
    random.Random(7).shuffle(numbers)
    errors: list[BaseException] = []

    def send() -> None:
        try:
            sending.send(numbers)
        except BaseException as error:  # noqa: BLE001 (told by the thread that waits)
            errors.append(error)

    started = time.monotonic()
    thread = threading.Thread(target=send)
    thread.start()
    servers = workers = 0
    try:
        for share_sent in (1 / 3, 2 / 3):
            while sending.sent < files * share_sent and thread.is_alive():
                time.sleep(0.02)
            servers += bool(kill(stack.find("gunicorn")))
        if kill_workers:
            workers += bool(kill(stack.find("run_cluster", "listen")[:1]))
        thread.join()
        upload_s = time.monotonic() - started
        if errors:
            raise errors[0]
        wait_for_reports(stack, files)
    finally:
        proxy.close()
    all_s = time.monotonic() - started
    return Outcome(
        files=files,
        revisions=stack.ask("SELECT count(*) FROM catalog_revision"),
        tracks=stack.ask("SELECT count(*) FROM catalog_track"),
        contents=stack.ask("SELECT count(DISTINCT content_sha256) FROM catalog_revision"),
        jobs=stack.ask("SELECT count(*) FROM analysis_job WHERE stage = 'listen'"),
        jobs_done=stack.ask("SELECT count(*) FROM analysis_job WHERE state = 'done'"),
        reports=stack.ask("SELECT count(*) FROM analysis_report WHERE stage = 'listen'"),
        connections_cut=proxy.cuts,
        servers_killed=servers,
        workers_killed=workers,
        upload_s=round(upload_s, 1),
        uploads_per_s=round(files / upload_s, 2),
        all_s=round(all_s, 1),
        reports_per_s=round(files / all_s, 2),
    )


def wait_for_reports(stack: Stack, files: int, silent_s: float = 300.0) -> None:
    """Wait until every job is over; raises AssertionError when nothing happens for long."""
    done, since = -1, time.monotonic()
    while True:
        now = stack.ask("SELECT count(*) FROM analysis_job WHERE state IN ('done', 'failed')")
        if now >= files:
            return
        if now != done:
            done, since = now, time.monotonic()
        assert time.monotonic() - since < silent_s, f"stuck at {done} of {files}\n{stack.story()}"
        time.sleep(0.5)


def main() -> int:
    """Exit code 0 if all arrived and none twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=int, nargs="?", default=10_000)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="svp-many-") as name:
        folder = Path(name)
        stack = stack_for_uploads(folder, LISTEN_WORKERS=str(options.workers))
        try:
            stack.start()
            stack.wait_ready(seconds=300)
            outcome = run(stack, token_of(stack), folder, options.files, threads=options.threads)
        finally:
            stack.end()
    sys.stdout.write(json.dumps(asdict(outcome), indent=2) + "\n")
    return 0 if outcome.is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
