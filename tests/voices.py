"""Voices for tests: documents of the voice stage, and stems of sounds that are made here."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from analysis import services
from analysis.models import Report, Stage
from analysis.sound.stem_writer import StemWriter
from catalog.models import Revision

RATE = 44_100
VERSION = "v1+timbre-test"
USUAL = {"warm": 0.3, "bright": 0.8, "breathy": 0.65, "rough": 0.1, "clean": 0.52}
MEASURES = {
    "cpps_db": (11.2, 22.0),
    "hnr_db": (15.1, 31.0),
    "h1_h2_db": (6.3, 74.0),
    "above_6k_db": (-21.4, 88.0),
    "tilt_db_per_octave": (-5.2, 81.0),
    "alpha_ratio_db": (-4.0, 66.0),
    "brightness": (74.1, 84.0),
    "low_mid_db": (-1.8, 18.0),
    "first_harmonics_db": (3.2, 30.0),
    "sibilance_db": (-12.0, 71.0),
    "modulation_percent": (1.4, 12.0),
    "subharmonics_db": (-38.0, 20.0),
    "jitter_percent": (0.61, 45.0),
    "shimmer_percent": (2.2, 40.0),
}


def clip(start_s: float, seconds: float = 4.0, **tags: float) -> dict[str, object]:
    """A clip of a document."""
    values = {**USUAL, **tags}
    strongest = max(values, key=values.__getitem__)
    return {
        "start_s": start_s,
        "end_s": start_s + seconds,
        "tags": values,
        "evidence": {
            name: {"value": value + 0.1 * np.sin(start_s), "percentile": percentile}
            for name, (value, percentile) in MEASURES.items()
        },
        "moments": [
            {
                "tag": strongest,
                "start_s": start_s + 1.0,
                "end_s": start_s + 1.8,
                "probability": min(0.99, values[strongest] + 0.12),
            }
        ],
        "voiced_share": 0.8,
        "over_accompaniment_db": 2.0,
    }


def document(
    clips: list[dict] | None = None, *, duration_s: float = 60.0, **means: float
) -> dict[str, object]:
    """A document of the voice stage; its tags are the means and percentiles of its clips."""
    if clips is None:
        wiggle = np.random.default_rng(5)
        clips = [
            clip(
                2.0 + 5.0 * number,
                **{
                    tag: float(np.clip(means.get(tag, p) + wiggle.normal(0.0, 0.05), 0.01, 0.99))
                    for tag, p in USUAL.items()
                },
            )
            for number in range(10)
        ]
    tags = {}
    for tag in USUAL if clips else ():
        values = [one["tags"][tag] for one in clips]
        low, high = np.percentile(values, [10.0, 90.0])
        tags[tag] = {
            "probability": float(np.mean(values)),
            "spread": {"p10": float(low), "p90": float(high)},
            "measures": {},
        }
    return {
        "schema": 1,
        "engine": "timbre",
        "model": "timbre-test",
        "duration_s": duration_s,
        "singing": bool(clips),
        "reason": None if clips else "No singing was found: the recording is silent.",
        "tags": tags,
        "evidence": {
            name: {"value": value, "percentile": percentile}
            for name, (value, percentile) in MEASURES.items()
        }
        if clips
        else {},
        "segments": clips,
        "clips": {"used": len(clips), "faint": 0, "left_out": 0},
        "reference": {"clips": 400, "singers": 9},
        "stems": {"engine": "starter", "is_starter": True, "identity": "starter-1"},
    }


def voice_report(revision: Revision, found: dict[str, object] | None = None) -> Report:
    """A voice report of a version."""
    return Report.objects.create(
        content_sha256=revision.content_sha256,
        stage=Stage.VOICE,
        model_version=VERSION,
        document=document() if found is None else found,
    )


def sung(seconds: float, *, f0_hz: float = 220.0, level: float = 0.1) -> np.ndarray:
    """A sung vowel with vibrato and a little noise, shape (2, n)."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(f0_hz * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * time_s))) / RATE
    wave = sum(np.sin(k * phase) / k**1.2 for k in range(1, 30))
    wave += 0.02 * np.random.default_rng(1).standard_normal(time_s.size)
    return (np.stack([wave, 0.9 * wave]) * level).astype(np.float32)


def stems_report(revision: Revision, sounds: dict[str, np.ndarray]) -> Report:
    """A separation of a version with all its files in the storage; sounds are (2, n)."""
    report = Report(
        content_sha256=revision.content_sha256, stage=Stage.SEPARATE, model_version="s1+starter-1"
    )
    entries = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, sound in sounds.items():
            with StemWriter(folder, stem, sample_rate=RATE, chunk_samples=10 * RATE) as writer:
                writer.add(np.ascontiguousarray(sound.T))
                figures = writer.finish()
            entries.append({"label": stem.capitalize(), **vars(figures)})
        for path in folder.iterdir():
            with path.open("rb") as file:
                default_storage.save(services.derived_name(report, path.name), File(file))
    n_samples = next(iter(sounds.values())).shape[1]
    report.document = {
        "engine": "starter",
        "engine_label": "Starter",
        "is_starter": True,
        "identity": "starter-1",
        "sample_rate": RATE,
        "n_samples": n_samples,
        "duration_s": round(n_samples / RATE, 3),
        "chunk_samples": 10 * RATE,
        "lowered_db": 0.0,
        "stems": entries,
    }
    report.created_at = timezone.now()
    report.save()
    return report
