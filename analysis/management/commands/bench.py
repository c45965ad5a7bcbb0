"""Measure the listening stage, or separation: ``manage.py bench [--separation] [--runs N]``."""

from __future__ import annotations

import importlib.util
import multiprocessing
import platform
import resource
import statistics
import tempfile
import time
from argparse import ArgumentParser
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand

SONG_SECONDS = 200
RATE = 44_100


class Command(BaseCommand):
    help = (
        "Time the listening stage per step on a 200 s stereo song made of real music, warm, with "
        "peak memory, beside the same measurements by librosa's plain functions; or the starter "
        "engine's separation into stems."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=int, default=SONG_SECONDS, help="length of the song")
        parser.add_argument("--runs", type=int, default=5, help="counted runs after one warm-up")
        parser.add_argument("--threads", type=int, default=2, help="threads for the network")
        parser.add_argument(
            "--separation", action="store_true", help="time the starter engine's separation"
        )
        parser.add_argument("--no-baseline", action="store_true", help="skip librosa's functions")

    def handle(self, *args: Any, **options: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="svp-bench-") as folder:
            song = Path(folder) / "song.wav"
            write_song(song, options["seconds"])
            self.stdout.write(f"machine    {machine()}")
            self.stdout.write(
                f"song       {options['seconds']} s, stereo, 44.1 kHz, 16 bit WAV; "
                f"{options['runs']} runs after a warm-up, {options['threads']} threads"
            )
            if options["separation"]:
                made = in_process(separation, song, options["runs"], options["threads"])
                self._table("separation by the starter", made)
                factor = statistics.median(made["total"]) / options["seconds"]
                self.stdout.write(f"\nreal-time factor {factor:.3f}")
                return
            ours = in_process(listening, song, options["runs"], options["threads"])
            self._table("listening stage", ours)
            if not options["no_baseline"]:
                theirs = in_process(librosa_baseline, song, 1, options["threads"])
                self._table("librosa's plain functions (no network, no pictures)", theirs)
                ratio = statistics.median(ours["total"]) / statistics.median(theirs["total"])
                self.stdout.write(f"\nratio      {ratio:.2f} of the baseline's time")

    def _table(self, title: str, result: dict[str, Any]) -> None:
        self.stdout.write(f"\n{title}")
        for step, seconds in result.items():
            if step not in ("rss_mb", "cpu"):
                self.stdout.write(
                    f"  {step:<14}{statistics.median(seconds):7.2f} s   "
                    f"(min {min(seconds):.2f}, max {max(seconds):.2f})"
                )
        self.stdout.write(f"  {'cpu time':<14}{statistics.median(result['cpu']):7.2f} s")
        self.stdout.write(f"  {'peak memory':<14}{result['rss_mb']:7.0f} MB")


def machine() -> str:
    """Processor, number of usable cores and Python version."""
    import os

    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def write_song(path: Path, seconds: int) -> None:
    """A song of that length out of the demo discography's real music, streamed to disk."""
    import soundfile
    import soxr

    spec = importlib.util.find_spec("immich_memories_music")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package immich-memories-music is not installed")
    pieces = sorted(Path(spec.origin).parent.rglob("*.opus"))
    written, wanted, index = 0, seconds * RATE, 0
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16", format="RF64") as out:
        while written < wanted:
            sound, rate = soundfile.read(pieces[index % len(pieces)], dtype="float32")
            sound = soxr.resample(sound, rate, RATE)[: wanted - written]
            out.write(np.clip(sound, -1, 1))
            written += len(sound)
            index += 1


def in_process(function: Any, song: Path, runs: int, threads: int) -> dict[str, Any]:
    """Run in a fresh process, so that its peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, function, song, runs, threads))
    process.start()
    result: dict[str, Any] = ours.recv()
    process.join()
    return result


def _child(pipe: Connection, function: Any, song: Path, runs: int, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    function(song)
    result: dict[str, Any] = {}
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        steps = function(song)
        steps["total"] = time.perf_counter() - wall
        steps["cpu"] = time.process_time() - cpu
        for step, seconds in steps.items():
            result.setdefault(step, []).append(seconds)
    result["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send(result)


def listening(song: Path) -> dict[str, float]:
    """The product's stage; seconds by step."""
    from analysis.listening import listen

    return dict(listen(song).seconds_by_step)


def separation(song: Path) -> dict[str, float]:
    """All four stems by the starter engine, decoding and writing FLAC included."""
    from analysis.neural.separation.separate import separate

    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=song.parent) as folder:
        separate(song, Path(folder), engine="starter", device="cpu")
    return {"separate": time.perf_counter() - started}


def librosa_baseline(song: Path) -> dict[str, float]:
    """The same questions asked of librosa's documented one-liners, and of pyloudnorm's formula."""
    import librosa

    steps: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        now = time.perf_counter()
        steps[name] = now - started
        started = now

    sound, rate = librosa.load(song, sr=22_050, mono=True)
    lap("load")
    librosa.beat.beat_track(y=sound, sr=rate)
    lap("tempo")
    librosa.feature.chroma_cqt(y=sound, sr=rate)
    lap("chroma")
    librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=rate))
    lap("mel")
    return steps
