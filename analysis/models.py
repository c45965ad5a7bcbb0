"""Jobs, what they found, and embeddings."""

from __future__ import annotations

import uuid

from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

EMBEDDING_DIMENSIONS = 128


class Stage(models.TextChoices):
    LISTEN = "listen", "Listening"
    SEPARATE = "separate", "Stems"
    VOICE = "voice", "Voice"


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Job(models.Model):
    """One stage of one track revision with one version of the models. This row is the truth; the
    queue's own entry is only a ticket to come and look at it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    revision = models.ForeignKey("catalog.Revision", on_delete=models.CASCADE, related_name="jobs")
    # Repeated from the revision: fair scheduling counts by artist without joins.
    artist = models.ForeignKey("catalog.Artist", on_delete=models.CASCADE, related_name="jobs")
    stage = models.CharField(max_length=16, choices=Stage)
    model_version = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=JobState, default=JobState.QUEUED)
    percent = models.PositiveSmallIntegerField(default=0)
    message = models.CharField(max_length=200, blank=True)
    attempts = models.SmallIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(
        default=0, help_text="How often its worker vanished in the middle of it."
    )
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it failed, for people.")
    detail = models.TextField(blank=True, help_text="Why it failed, for staff: the traceback.")
    afresh = models.BooleanField(
        default=False, help_text="Do it again even if a report of this version exists."
    )
    priority = models.SmallIntegerField(default=0, help_text="Higher runs first.")
    # Who works on it: a ticket is written when it is handed to the queue, and changes with every
    # attempt, so that a worker thought dead cannot write over the one that took its place.
    ticket = models.UUIDField(null=True, blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    run_seconds = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ("queued_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["revision", "stage", "model_version"], name="job_once_per_stage_and_version"
            ),
        )
        indexes = (
            models.Index(fields=["state", "stage", "queued_at"]),
            models.Index(fields=["artist", "state"]),
        )

    def __str__(self) -> str:
        return f"{self.get_stage_display()} of {self.revision_id}: {self.state}"


class Report(models.Model):
    """What one stage found in one content with one version of the models: immutable.

    ``document`` is the JSON that ``manage.py analyze --json`` prints. A few values are repeated in
    columns to be searched and sorted by.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    content_sha256 = models.CharField(max_length=64)
    stage = models.CharField(max_length=16, choices=Stage)
    model_version = models.CharField(max_length=64)
    document = models.JSONField()
    genre = models.CharField(max_length=64, blank=True, db_index=True, help_text="The likeliest.")
    genre_decided = models.BooleanField(
        default=False, help_text="Sure enough, and familiar enough, to be named."
    )
    genre_confidence = models.FloatField(null=True, blank=True)
    tempo_bpm = models.FloatField(null=True, blank=True)
    key = models.CharField(max_length=16, blank=True)
    integrated_lufs = models.FloatField(null=True, blank=True)
    energy = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["content_sha256", "stage", "model_version"], name="report_once_per_content"
            ),
        )

    def __str__(self) -> str:
        return f"{self.stage} of {self.content_sha256[:12]} by {self.model_version}"


class Embedding(models.Model):
    """Place of a content in the similarity space of one model version (L2-normalised)."""

    report = models.OneToOneField(Report, on_delete=models.CASCADE, related_name="embedding")
    content_sha256 = models.CharField(max_length=64, db_index=True)
    model_version = models.CharField(max_length=64, db_index=True)
    vector = HalfVectorField(dimensions=EMBEDDING_DIMENSIONS)

    class Meta:
        indexes = (
            HnswIndex(
                name="embedding_vector_hnsw",
                fields=["vector"],
                m=16,
                ef_construction=64,
                opclasses=["halfvec_cosine_ops"],
            ),
        )

    def __str__(self) -> str:
        return f"{self.model_version} {self.content_sha256[:12]}"
