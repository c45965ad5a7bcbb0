"""Clips of real singers with changes whose truth is known: labels that are not noise.

What the words mean here is not all that the starter learned: *warm* is the saturation of a tape
(which it hears as rough), *breathy* is a whisper within the voice, and not hiss around it, *rough*
is a growl, which it knows, and *thin* (no body below 700 Hz) it has never heard of.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
from scipy import signal

from analysis.sound.equaliser import Move
from analysis.sound.voice.clips import cut
from analysis.sound.voice.measures import RATE_HZ
from analysis.sound.voice.recording import read_mono
from analysis.training.timbre import changes

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
TAGS = ("warm", "breathy", "rough", "thin")
MOST_TAGS_OF_CLIP = 3


@dataclass(frozen=True)
class KnownClip:
    """A changed clip, mono (n,) at 32 kHz, and which tags are true of it."""

    name: str
    singer: str
    sound: npt.NDArray[np.float32]
    truth: dict[str, bool]


def recordings(*, singers: int) -> dict[str, list[Path]]:
    """Dry recordings by singer, of as many singers as are wanted or there are."""
    found: dict[str, list[Path]] = {}
    for path in sorted((DATA / "vocals_makam").glob("*.flac")):
        found.setdefault(path.stem.split("__")[0], []).append(path)
    return dict(list(found.items())[:singers])


def from_table(table: Path) -> dict[str, list[Path]]:
    """Recordings of a CSV with file and singer."""
    found: dict[str, list[Path]] = {}
    for row in csv.DictReader(table.read_text().splitlines()):
        if row.get("reference") != "no":
            found.setdefault(row["singer"], []).append(Path(row["file"]))
    return found


def known_clips(
    by_singer: dict[str, list[Path]],
    *,
    per_singer: int,
    seed: int = 0,
    speeds: tuple[float, ...] = (1.0,),
) -> list[KnownClip]:
    """Clips of every singer, spread over her recordings, each changed by lot.

    Each of ``speeds`` makes another voice of a singer, with pitch and vocal tract scaled together:
    ``barbaros`` and ``barbaros x0.85``.
    """
    made = []
    voices = {
        singer if speed == 1.0 else f"{singer} x{speed:g}": (paths, speed)
        for singer, paths in by_singer.items()
        for speed in speeds
    }
    for singer, (paths, speed) in voices.items():
        sounds: list[npt.NDArray[np.float32]] = []
        each = -(-per_singer // len(paths))
        for path in paths:
            if len(sounds) < per_singer:
                sound, rate = read_mono(path)
                if speed != 1.0:
                    sound = soxr.resample(sound, rate * speed, rate).astype(np.float32)
                sounds += [clip.samples for clip in cut(sound, rate, most=each).kept]
        for number, sound in enumerate(sounds[:per_singer]):
            name = f"{singer}_{number}"
            rng = np.random.default_rng(
                int(hashlib.sha256(f"{seed} {name}".encode()).hexdigest()[:12], 16)
            )
            true = rng.choice(TAGS, rng.integers(0, MOST_TAGS_OF_CLIP + 1), replace=False)
            truth = {tag: tag in true for tag in TAGS}
            made.append(KnownClip(name, singer, changed(sound, truth, rng), truth))
    return made


def changed(
    sound: npt.NDArray[np.float32], truth: dict[str, bool], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """A voice changed so that the tags are true of it, and often by what must not mislead."""
    if truth["thin"]:
        high_pass = signal.butter(4, rng.uniform(650.0, 800.0), "high", fs=RATE_HZ, output="sos")
        thinner = signal.sosfilt(high_pass, sound).astype(np.float32)
        sound = thinner * np.float32(changes.rms(sound) / changes.rms(thinner))
    if rng.random() < 0.3:
        move = Move("high_shelf", rng.uniform(9_000.0, 11_000.0), rng.uniform(4.0, 8.0))
        sound = changes.equalise(sound, RATE_HZ, move)
    if truth["breathy"]:
        sound = changes.aspirate(sound, RATE_HZ, rng, share=rng.uniform(0.3, 0.6))
    if truth["rough"]:
        sound = changes.growl(
            sound,
            RATE_HZ,
            rng,
            centre_hz=rng.uniform(45.0, 90.0),
            depth=rng.uniform(0.5, 0.9),
            drive_db=4.0,
        )
    if truth["warm"]:
        sound = changes.overdrive(
            sound, RATE_HZ, rng, drive_db=rng.uniform(14.0, 20.0), bias=rng.uniform(0.1, 0.4)
        )
    if rng.random() < 0.3:
        sound = changes.breath_noise(
            sound,
            RATE_HZ,
            rng,
            snr_db=rng.uniform(18.0, 26.0),
            slope=0.0,
            high_pass_hz=3_500.0,
            follow=0.0,
        )
    return (sound / max(1.0, float(np.abs(sound).max()) / 0.98)).astype(np.float32)
