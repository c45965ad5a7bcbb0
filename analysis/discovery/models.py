"""What is searched: one narrow row per track and model version, and what belongs to a version."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from pgvector.django import HalfVectorField

from analysis.background import BackgroundWork

DIMENSIONS = 128
SNIPPET_KEPT = timedelta(hours=1)


class EmbeddingSpace(models.Model):
    """The similarity space of one model version. Distances are only ever measured within one.

    One space serves. The index of another is built beside it, and the switch is one transaction
    (:func:`analysis.discovery.spaces.switch_to`). ``pair_quantiles`` are cosine distances of random
    pairs of different tracks, ``section_quantiles`` those of random sections of different tracks,
    at the shares :data:`analysis.discovery.percentiles.SHARES`; empty until there are enough.
    """

    model_version = models.CharField(max_length=64, unique=True)
    is_serving = models.BooleanField(default=False)
    indexed_at = models.DateTimeField(null=True, blank=True)
    index_facts = models.JSONField(
        default=dict, blank=True, help_text="m, ef_construction, rows, seconds, bytes."
    )
    pair_quantiles = models.JSONField(default=list, blank=True)
    section_quantiles = models.JSONField(default=list, blank=True)
    measured_entries = models.PositiveIntegerField(
        default=0, help_text="How many tracks there were when the quantiles were measured."
    )
    measured_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["is_serving"],
                condition=models.Q(is_serving=True),
                name="embedding_space_one_serves",
            ),
        )

    def __str__(self) -> str:
        return self.model_version


class SearchEntry(models.Model):
    """The current revision of a track in one space, with all that it can be filtered by.

    Repeated from tracks, albums and reports so that one query over one narrow table answers a
    search. What stands on the track or its album (who may find it, above all) is kept equal by
    triggers of the database, in the transaction of the change and whoever makes it; what stands in
    reports is written by :mod:`analysis.discovery.entries`. ``report`` stands for the content.
    """

    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, db_index=False)
    track = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="+")
    revision = models.ForeignKey("catalog.Revision", on_delete=models.CASCADE, related_name="+")
    report = models.ForeignKey("analysis.Report", on_delete=models.CASCADE, related_name="+")
    artist = models.ForeignKey("catalog.Artist", on_delete=models.CASCADE, related_name="+")
    album = models.ForeignKey(
        "catalog.Album", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    discoverable = models.BooleanField()
    is_reference = models.BooleanField()
    genre = models.CharField(
        max_length=64, blank=True, help_text="Empty where the model is not sure."
    )
    tempo_bpm = models.FloatField(null=True, blank=True)
    key_code = models.SmallIntegerField(
        null=True, blank=True, help_text="Pitch class of the tonic (C is 0), and 12 more in minor."
    )
    energy = models.FloatField(null=True, blank=True)
    instrumental = models.BooleanField(
        null=True, blank=True, help_text="None until a voice was looked for."
    )
    language = models.CharField(
        max_length=8, blank=True, help_text="Of the lyrics, ISO 639-1; empty if unknown."
    )
    release_date = models.DateField(null=True, blank=True)
    vector = HalfVectorField(dimensions=DIMENSIONS)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["space", "track"], name="search_entry_once_per_track"),
        )
        indexes = (
            models.Index(fields=["space", "genre"], name="search_entry_genre"),
            models.Index(fields=["space", "tempo_bpm"], name="search_entry_tempo"),
            models.Index(fields=["space", "key_code"], name="search_entry_key"),
            models.Index(fields=["space", "energy"], name="search_entry_energy"),
            models.Index(fields=["space", "language"], name="search_entry_language"),
            models.Index(fields=["space", "release_date"], name="search_entry_release"),
        )

    def __str__(self) -> str:
        return f"{self.track_id} in {self.space_id}"


class IndexRun(BackgroundWork):
    """Building the index of a space and measuring its quantiles, in the background."""

    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="runs")
    then_serve = models.BooleanField(
        default=False, help_text="Switch the search over to this space when it is ready."
    )


class SectionEmbeddings(models.Model):
    """Where the sections of a content lie in the space of its report: the network's windows, as
    they were heard in the same forward pass as the report.

    ``vectors`` holds n unit vectors of 128 half-precision numbers (little-endian, row by row).
    """

    report = models.OneToOneField(
        "analysis.Report", on_delete=models.CASCADE, related_name="sections"
    )
    start_s = ArrayField(models.FloatField())
    end_s = ArrayField(models.FloatField())
    vectors = models.BinaryField()

    def __str__(self) -> str:
        return f"{len(self.start_s)} sections of {self.report_id}"


def _snippet_expiry() -> object:
    return timezone.now() + SNIPPET_KEPT


class Snippet(BackgroundWork):
    """A piece of sound that somebody uploaded only to search with. The file goes as soon as it has
    been heard, the row an hour after the upload."""

    queue: ClassVar[str] = "listen"

    file = models.CharField(max_length=300, blank=True, help_text="Name in the storage.")
    original_name = models.CharField(max_length=300)
    duration_s = models.FloatField(help_text="Seconds, as the header says.")
    model_version = models.CharField(max_length=64, blank=True)
    vector = HalfVectorField(dimensions=DIMENSIONS, null=True, blank=True)
    expires_at = models.DateTimeField(default=_snippet_expiry, db_index=True)
