"""Measure labelling on this machine: ``python -m tests.bench_labelling [--clips 100000]``.

Starts the whole product with a database of its own; a scripted rater labels clips by keyboard in a
real browser. The queue is asked for clips in a pool of 100,000, all that is done with the labels of
such a pool is timed, and the model is trained with a thousand clips. See docs/labelling.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from sonicsite import embedded_postgres
from tests.e2e.conftest import CHROMIUM, FLAGS
from tests.labelling_seed import seed_in
from tests.stack import Stack

# Every source that starts is noted, with the time at which it is heard: the page's own way to the
# loudspeaker included.
NOTE_STARTS = """
  window.starts = [];
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...how) {
    const { baseLatency, outputLatency } = this.context;
    const delay = 1000 * ((baseLatency || 0) + (outputLatency || 0));
    window.starts.push(performance.now() + delay);
    return start.apply(this, how);
  };
  window.presses = [];
  addEventListener("keydown", (event) => {
    if (event.key === "Enter") window.presses.push(event.timeStamp);
  }, true);
"""
KEYS = ("w", "b", "h", "r", "c")
# Part of a big pool is answered, skipped or in hand, as it would be in real life.
FILL = """
import random, uuid
from django.utils import timezone
from datetime import timedelta
from analysis.labels.models import *
from analysis.labels import ballots
from tests.factories import UserFactory
draw = random.Random(4)
tags = list(TimbreTag.objects.filter(retired_at__isnull=True))
made = []
for number in range({clips}):
    pk = uuid.UUID(int=draw.getrandbits(128), version=4)
    made.append(VoiceClip(
        pk=pk, name=f"{{pk}}.flac", singer=f"singer {{number % 400}}", start_s=0.0, end_s=4.0,
        file="none", content_sha256=pk.hex * 2, lot=draw.random(), is_held_out=number % 5 == 0,
        fingerprint=[draw.random() for _ in range(8)],
        predicted={{tag.slug: round(draw.random(), 3) for tag in tags}},
        gold={{"warm": "yes"}} if number % 500 == 0 else {{}},
    ))
VoiceClip.objects.bulk_create(made, batch_size=5_000)
people = UserFactory.create_batch(3, role="labeller")
answered = draw.sample(made, {clips} // 2)
for at in range(0, len(answered), 5_000):
    part = answered[at : at + 5_000]
    # Every tenth is heard by all three.
    cast = Ballot.objects.bulk_create(
        Ballot(clip=clip, rater=rater, skipped=n % 50 == 1, seconds=5.0)
        for n, clip in enumerate(part)
        for rater in (people if n % 10 == 0 else [people[n % 3]])
    )
    Vote.objects.bulk_create(
        Vote(ballot=ballot, tag=tag, answer=draw.choice(("yes", "no", "unsure")))
        for ballot in cast if not ballot.skipped for tag in tags
    )
    ballots.recount([clip.pk for clip in part])
"""
ASK = """
import json, random, time
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from analysis.labels import label_settings, labelling_selectors, queue
from analysis.labels.models import *
from catalog.models import User
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
LabelSettings.objects.update(gold_share=0.05, overlap_share=0.1, overlap_votes=3)
rater = User.objects.filter(ballots__isnull=False).first()
chance = random.Random(9)
queue.next_clip(rater, chance=chance)
took, held, slowest = [], [], (0.0, "")
for _ in range({asks}):
    started = time.perf_counter()
    with CaptureQueriesContext(connection) as seen:
        clip = queue.next_clip(rater, holding=held[-40:], chance=chance)
    took.append(time.perf_counter() - started)
    held.append(clip.pk)
    worst = max(seen.captured_queries, key=lambda one: float(one["time"]))
    slowest = max(slowest, (float(worst["time"]), worst["sql"]))
    VoiceClip.objects.filter(pk=clip.pk).update(locked_by=None, locked_until=None)
lanes = {{}}
for lane in ("disputed", "overlap", "held_out", "control", "gold", "again", "uncertain", "balance"):
    wishes = label_settings.current()
    times = []
    for _ in range(20):
        from django.db import transaction
        from django.utils import timezone
        with transaction.atomic():
            started = time.perf_counter()
            queue._Draw(rater, [], wishes, chance, timezone.now()).of(lane)
            times.append(time.perf_counter() - started)
            transaction.set_rollback(True)
    lanes[lane] = sorted(times)[10]
cache.clear()
started = time.perf_counter()
labelling_selectors.remaining()
counting = time.perf_counter() - started
with connection.cursor() as cursor:
    cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + slowest[1])
    plan = [row[0] for row in cursor.fetchall()]
print(json.dumps({{"took": took, "lanes": lanes, "counting": counting, "slowest": slowest[0],
                  "plan": plan}}))
"""


def main() -> None:
    """Print the figures."""
    from analysis.management.commands.bench import machine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000, help="size of the pool")
    parser.add_argument("--label", type=int, default=60, help="clips labelled in the browser")
    parser.add_argument("--asks", type=int, default=200, help="draws from the pool")
    parser.add_argument("--train", type=int, default=1_000, help="clips to train with")
    wanted = parser.parse_args()
    say(f"machine    {machine()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="svp-bench-") as folder:
        if wanted.clips:
            use_a_large_pool(Path(folder), wanted.clips, wanted.asks)
        if wanted.train:
            train(Path(folder), wanted.train)
        if wanted.label:
            site = Stack(Path(folder) / "data")
            try:
                site.start()
                site.wait_ready("database", seconds=600)
                label_in_browser(site, wanted.label)
            finally:
                site.end()


def label_in_browser(site: Stack, clips: int) -> None:
    """A scripted rater: two tags yes by key, the rest no, submit; as fast as keys can be pressed,
    so that what remains is the page's own time."""
    seeded = seed_in(site, clips=clips + 3, raters=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies(seeded["cookies"])
        page = context.new_page()
        page.add_init_script(NOTE_STARTS)
        page.goto(f"{site.url}/labels/work/")
        page.locator("[data-start]").press("Enter")
        wait_for(page, "window.starts.length >= 1")
        page.evaluate("window.presses.length = 0")
        began = time.perf_counter()
        for number in range(clips):
            # A listener hears at least a good second of each clip; the next ones come meanwhile.
            page.wait_for_timeout(1_000)
            page.keyboard.press(KEYS[number % 5])
            page.keyboard.press(KEYS[(number + 2) % 5])
            page.keyboard.press("-")
            page.keyboard.press("Enter")
            wait_for(page, f"window.starts.length >= {number + 2}")
        seconds = (time.perf_counter() - began) / clips
        starts, presses = page.evaluate("[window.starts, window.presses]")
        overhead = [start - press for start, press in zip(starts[1:], presses, strict=False)]
        wait_for(page, "!Object.keys(localStorage).some((key) => /^labelling:/.test(key))")
        stored = site.ask("SELECT count(*) FROM analysis_ballot WHERE NOT skipped")
        browser.close()
    say(f"browser    {clips} clips by keyboard, {stored} ballots stored")
    say(f"           {seconds:.2f} s a clip, of which 1 s is listening by the script")
    say(f"overhead   press of Enter to the next clip sounding: {quantiles(overhead)} ms")


def use_a_large_pool(folder: Path, clips: int, asks: int) -> None:
    """Draws from a large pool, half of it answered, and what is done with its labels."""
    with database_of_its_own(folder / "pool") as env:
        started = time.perf_counter()
        manage(env, "shell", "--no-imports", "-c", FILL.format(clips=clips))
        say(
            f"pool       {clips} clips made in {time.perf_counter() - started:.0f} s, half answered"
        )
        answer = manage(env, "shell", "--no-imports", "-c", ASK.format(asks=asks))
        work = "from tests.labels_at_size import time_the_labels; time_the_labels()"
        labels = json.loads(manage(env, "shell", "--no-imports", "-c", work).splitlines()[-1])
    tell_of_the_queue(answer, asks)
    say("labels     seconds, or how many")
    for name, value in labels.items():
        say(f"           {name:<34}{value:12,.{2 * (value % 1 > 0)}f}")


def tell_of_the_queue(answer: str, asks: int) -> None:
    """Say what ASK printed."""
    found = json.loads(answer.strip().splitlines()[-1])
    took = [1_000 * one for one in found["took"]]
    say(f"queue      next clip, locked: {quantiles(took)} ms over {asks} draws")
    for lane, seconds in found["lanes"].items():
        say(f"           lane {lane:<10}{1_000 * seconds:7.1f} ms")
    say(f"           what is left, counted: {1_000 * found['counting']:.1f} ms, at most every 20 s")
    say(f"           slowest single query {1_000 * found['slowest']:.1f} ms:")
    for line in found["plan"]:
        say(f"             {line}")


def train(folder: Path, clips: int) -> None:
    """The timbre model trained with labelled clips of 40 singers, and compared, at one thread."""
    with database_of_its_own(folder / "train") as env:
        made = f"from tests.labels_at_size import *; make_labelled_clips({clips}, 40)"
        manage(env, "shell", "--no-imports", "-c", made)
        started = time.perf_counter()
        told = manage(env, "train_timbre", "--labels")
        seconds = time.perf_counter() - started
    say(f"training   {clips} clips, read, trained and compared in {seconds / 60:.1f} min")
    say(f"           {told.strip().splitlines()[-1]}")


@contextmanager
def database_of_its_own(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of commands that use an empty database in ``folder``."""
    with embedded_postgres.in_use(folder, durable=False) as url:
        env = {**os.environ, "EMBEDDED_DATABASE_URL": url, "DATA_DIR": str(folder)}
        manage(env, "migrate", "--verbosity", "0")
        manage(env, "createcachetable")
        yield env


def manage(env: dict[str, str], *arguments: str) -> str:
    """Run a management command, however long it takes; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=Path(__file__).resolve().parent.parent,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return done.stdout


def wait_for(page: Page, expression: str, seconds: float = 60.0) -> None:
    """Wait until an expression is true in the page, asking often."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        if time.monotonic() > deadline:
            raise TimeoutError(expression)
        page.wait_for_timeout(20)


def quantiles(values: Sequence[float]) -> str:
    """Median, 95th percentile and maximum."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"median {statistics.median(ordered):.1f}, p95 {p95:.1f}, max {ordered[-1]:.1f}"


def say(line: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sonicsite.settings")
    main()
