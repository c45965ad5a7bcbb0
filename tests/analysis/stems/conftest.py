"""A short song, separated once by the starter; every test puts the same files into its own site."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from analysis import separation_job, services
from analysis.models import Job, Report, Stage
from analysis.neural.separation.segments import Segments, make_segments
from analysis.neural.separation.starter import Starter
from analysis.stem_store import write_stems
from analysis.versions import separate_version
from catalog.models import Revision
from tests.analysis.neural.separation.sounds import song
from tests.factories import ArtistFactory, RevisionFactory, TrackFactory

RATE = 44_100
SECONDS = 11.0  # more than one piece of ten seconds


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def wav_bytes(sound: np.ndarray) -> bytes:
    """(2, n) as the bytes of a 24-bit WAV."""
    file = io.BytesIO()
    soundfile.write(file, sound.T, RATE, format="WAV", subtype="PCM_24")
    return file.getvalue()


@pytest.fixture(scope="session")
def mix() -> np.ndarray:
    return song(SECONDS)


class Watched:
    """The starter, whose segments of the one song are made once and handed out again and again;
    with a note of every segment that it was asked for."""

    def __init__(self, engine: Starter, parts: list[Path]) -> None:
        self._parts = parts
        self.name, self.stems, self.identity = engine.name, engine.stems, engine.identity
        self.segment_samples = engine.segment_samples
        self.asked: list[int] = []
        self.after: Callable[[int], object] = lambda number: None

    def begin(self, read):
        def separate_segment(number: int) -> torch.Tensor:
            self.asked.append(number)
            self.after(number)
            return torch.from_numpy(np.load(self._parts[number]))

        return separate_segment


@pytest.fixture(scope="session")
def segments(mix, tmp_path_factory) -> tuple[Starter, Segments]:
    engine = Starter("cpu")
    folder = tmp_path_factory.mktemp("segments")
    return engine, make_segments([mix], folder, engine=engine, sample_rate=RATE)


@pytest.fixture
def watched(segments, monkeypatch) -> Watched:
    engine, made = segments
    found = Watched(engine, made.parts)
    monkeypatch.setattr(separation_job, "_engine", lambda name: found)
    return found


@pytest.fixture(scope="session")
def separated(segments, tmp_path_factory) -> tuple[Path, dict]:
    """Folder of the stems' files, and the report's document."""
    engine, made = segments
    folder = tmp_path_factory.mktemp("separated")
    return folder, write_stems(made, folder, engine=engine, progress=lambda share: None)


@pytest.fixture
def artist():
    return ArtistFactory(name="Björk & Söhne")


def revision_of(artist, content: bytes, **fields) -> Revision:
    return RevisionFactory(
        track=TrackFactory(artist=artist, **{"title": "Zitrone/Öl", **fields}),
        file=ContentFile(content, name="x"),
        content_sha256=hashlib.sha256(content).hexdigest(),
        duration_s=SECONDS,
    )


@pytest.fixture
def revision(artist, mix) -> Revision:
    """A version whose stems have not been made."""
    return revision_of(artist, wav_bytes(mix))


@pytest.fixture
def stems(revision, separated) -> Report:
    """The report of the version's stems, with all files in the storage."""
    folder, document = separated
    report = Report.objects.create(
        content_sha256=revision.content_sha256,
        stage=Stage.SEPARATE,
        model_version=separate_version("starter"),
        document=document,
    )
    for path in folder.iterdir():
        with path.open("rb") as file:
            default_storage.save(services.derived_name(report, path.name), File(file))
    return report


def logged_in(artist) -> Client:
    client = Client()
    client.force_login(artist.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def hand_out(job: Job) -> uuid.UUID:
    """What the queue does: give the job a ticket."""
    ticket = uuid.uuid4()
    Job.objects.filter(pk=job.pk).update(ticket=ticket, dispatched_at=timezone.now())
    return ticket


def run(job: Job) -> Job:
    """Hand a job to a worker in this process."""
    services.run(job.pk, hand_out(job))
    return Job.objects.get(pk=job.pk)
