"""Tracks that have been heard, at places that a test chooses."""

from __future__ import annotations

import numpy as np

from analysis.discovery import indexing
from analysis.discovery.models import EmbeddingSpace
from analysis.discovery.request import Asker, Filters, SearchRequest, Seed
from analysis.discovery.search import search
from analysis.models import Embedding, Report
from tests.factories import ArtistFactory, ReportFactory, RevisionFactory, TrackFactory

VERSION = "test-1"


def at(degrees: float) -> np.ndarray:
    """A place on a circle: the cosine distance of two is 1 - cos of the angle between."""
    vector = np.zeros(128)
    vector[0], vector[1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def heard(artist=None, vector=None, *, track=None, number=1, content=None, report=None, **fields):
    """A track with a revision that has been heard; returns the track. ``report`` are columns of its
    report, ``fields`` those of the track."""
    track = track or TrackFactory(artist=artist or ArtistFactory(), **fields)
    known = {} if content is None else {"content_sha256": content}
    revision = RevisionFactory(track=track, number=number, **known)
    if not Report.objects.filter(content_sha256=revision.content_sha256).exists():
        embed(revision.content_sha256, vector, **(report or {}))
    return track


def embed(content, vector, *, model_version=VERSION, **columns):
    """A report of a content with its place in the space of a version."""
    made = ReportFactory(content_sha256=content, model_version=model_version, **columns)
    unit = np.asarray(at(0) if vector is None else vector, dtype=float)
    Embedding.objects.create(
        report=made,
        content_sha256=content,
        model_version=model_version,
        vector=(unit / np.linalg.norm(unit)).tolist(),
    )
    return made


def found(asker, seed, filters=None, **options):
    """The tracks that a search finds, nearest first. ``asker`` is an artist, or None; ``seed`` a
    track or a list of seeds."""
    seeds = seed if isinstance(seed, list) else [Seed.track(seed.pk)]
    request = SearchRequest(Asker.of_artist(asker), seeds, filters or Filters(), **options)
    return [hit.track for hit in search(request)]


def measure():
    """Measure the quantiles of the serving space, as the background does."""
    space = EmbeddingSpace.objects.get(is_serving=True)
    indexing.measure(space)
    return space
