"""What the stages of a file leave behind, as they leave it, without doing them."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from analysis import mix_targets, pictures
from analysis.discovery.models import Snippet
from analysis.lyrics_models import LyricsOrigin, LyricsVersion
from analysis.mixing import load_targets
from analysis.mixing.own_targets import to_document
from analysis.models import Embedding, MixTarget, Report, Stage
from analysis.services import derived_name
from catalog.models import Artist, Revision, User
from tests.analysis.discovery.catalogue import VERSION, at
from tests.factories import ReportFactory, document

FLAC = bytes(range(256)) * 8
LINE = {
    "start_s": 1.0,
    "end_s": 3.0,
    "text": "I'm sitting here",
    "words": [
        {"start_s": 1.0, "end_s": 1.4, "text": "I'm", "confidence": 0.9},
        {"start_s": 1.4, "end_s": 2.2, "text": "sitting", "confidence": 0.31},
        {"start_s": 2.2, "end_s": 3.0, "text": "here", "confidence": 0.8},
    ],
}


def heat(columns: int = 40) -> np.ndarray:
    """A heat map (128, columns): hot in the low bands of the second half."""
    rng = np.random.default_rng(7)
    found = rng.uniform(0.0, 0.02, (128, columns)).astype(np.float32)
    found[:32, columns // 2 :] += 0.1
    return found


def heard(revision: Revision) -> Report:
    """A report with pictures and a place in the space."""
    probability = {"label": "jazz", "probability": 0.7, "attention": None, "sentence": "Jazz."}
    genre = {"label": "jazz", "confidence": 0.7, "decided": True, "explanations": [probability]}
    report = ReportFactory(
        content_sha256=revision.content_sha256,
        document=document(genre=genre, models={}, file={"duration_s": 39 * 1_709 / 22_050}),
        genre_decided=True,
        tempo_bpm=120.0,
        key="A minor",
        energy=0.5,
    )
    Embedding.objects.create(
        report=report,
        content_sha256=report.content_sha256,
        model_version=VERSION,
        vector=at(0).tolist(),
    )
    mel = np.tile(np.arange(40, dtype=np.uint8) * 6, (128, 1))
    save(report, "heat.png", pictures.heat_png(heat()))
    save(report, "spectrogram.png", pictures.spectrogram_png(mel))
    return report


def separated(revision: Revision, engine: str = "starter", content: bytes = FLAC) -> Report:
    """Stems: a voice alone."""
    stem = {
        "name": "vocals",
        "label": "Vocals",
        "file": "vocals.flac",
        "bytes": len(content),
        "chunks": [],
        "waveform": "vocals.json",
        "peak_dbfs": -2.0,
        "level_db": -18.0,
        "n_samples": 1_323_000,
    }
    report = ReportFactory(
        content_sha256=revision.content_sha256,
        stage=Stage.SEPARATE,
        model_version=f"s1+{engine}",
        document={
            "engine": engine,
            "engine_label": engine.title(),
            "is_starter": engine == "starter",
            "sample_rate": 44_100,
            "n_samples": 1_323_000,
            "duration_s": 30.0,
            "lowered_db": 0.0,
            "stems": [stem],
        },
    )
    save(report, "vocals.flac", content)
    return report


def sung(revision: Revision) -> Report:
    """A voice that is clearly warm."""
    tag = {"probability": 0.86, "spread": {"p10": 0.7, "p90": 0.93}}
    clips = [
        {"start_s": at_s, "end_s": at_s + 5.0, "tags": {"warm": 0.86}, "evidence": {}}
        for at_s in (0.0, 5.0, 10.0)
    ]
    return ReportFactory(
        content_sha256=revision.content_sha256,
        stage=Stage.VOICE,
        model_version="v1+test",
        document={
            "singing": True,
            "duration_s": 30.0,
            "tags": {"warm": tag},
            "evidence": {},
            "segments": clips,
        },
    )


def worded(revision: Revision) -> LyricsVersion:
    """The artist's own words."""
    return LyricsVersion.objects.create(
        revision=revision, number=1, origin=LyricsOrigin.EDITED, language="en", lines=[LINE]
    )


def target_of(artist: Artist) -> MixTarget:
    """A target from a file, which is jazz under another name, as far as files hold curves."""
    targets = load_targets()
    document = to_document(targets.genres["jazz"])
    points = targets.tonal.frequencies_hz.size
    for name in ("p10_db", "median_db", "p90_db"):
        document["curve"][name] = document["curve"][name][:points]
    written = json.dumps(document).encode()
    return mix_targets.create_of_file(artist, file=io.BytesIO(written), name="Mine")


def lent(user: User) -> Snippet:
    """A snippet that has been heard, at the place of :func:`heard`."""
    return Snippet.objects.create(
        original_name="hummed.wav",
        duration_s=3.0,
        created_by=user,
        state="done",
        percent=100,
        vector=at(0).tolist(),
        model_version=VERSION,
    )


def save(report: Any, name: str, content: bytes) -> None:
    """A derived file of a report."""
    default_storage.save(derived_name(report, name), ContentFile(content))
