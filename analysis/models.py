"""Jobs, what they found, and embeddings."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from pgvector.django import HalfVectorField

EMBEDDING_DIMENSIONS = 128


class Stage(models.TextChoices):
    LISTEN = "listen", "Listening"
    SEPARATE = "separate", "Stems"
    VOICE = "voice", "Voice"
    LYRICS = "lyrics", "Lyrics"
    RELEASE = "release", "Release check"


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


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
    options = models.JSONField(
        default=dict,
        blank=True,
        help_text="What its stage was asked to do, as the stage writes it.",
    )
    waits_for = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="awaited_by",
        help_text="Not handed out until this other job is done; fails with it.",
    )
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
            models.Index(fields=["-queued_at", "-id"], name="job_newest"),
            # What handing out asks for, as small as the queue is long.
            models.Index(
                "stage",
                "artist",
                F("priority").desc(),
                "queued_at",
                "id",
                name="job_waiting",
                condition=Q(state=JobState.QUEUED, ticket__isnull=True, waits_for__isnull=True),
            ),
            models.Index(
                fields=["stage", "artist"],
                name="job_in_hand",
                condition=Q(state=JobState.RUNNING)
                | Q(state=JobState.QUEUED, ticket__isnull=False),
            ),
            models.Index(
                fields=["stage", "-finished_at"],
                name="job_done_last",
                condition=Q(state=JobState.DONE, run_seconds__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_stage_display()} of {self.revision_id}: {self.state}"


class Report(models.Model):
    """What one stage found in one content with one version of the models. Nothing is changed in it:
    it stays, or is written again as a whole, which ``created_at`` tells.

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

    def __str__(self) -> str:
        return f"{self.model_version} {self.content_sha256[:12]}"


class StreamingService(models.Model):
    """How loud one streaming service plays music: dated data, for staff to keep up to date."""

    name = models.CharField(max_length=60, unique=True)
    reference_lufs = models.FloatField(
        "reference loudness",
        validators=[MinValueValidator(-40.0), MaxValueValidator(0.0)],
        help_text="In LUFS; louder tracks are turned down to it.",
    )
    true_peak_dbtp = models.FloatField(
        "highest true peak",
        validators=[MinValueValidator(-12.0), MaxValueValidator(0.0)],
        help_text="In dBTP, as the service advises it for deliveries.",
    )
    turns_up = models.BooleanField(
        default=False,
        help_text="Quieter tracks are turned up, as far as the peak ceiling allows.",
    )
    as_of = models.DateField("as of", help_text="When the figures were last read at the source.")
    source_url = models.URLField("source", max_length=300, blank=True)
    order = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True, help_text="Shown to artists.")

    class Meta:
        ordering = ("order", "name")

    def __str__(self) -> str:
        return self.name


class TargetKind(models.TextChoices):
    CATALOGUE = "catalogue", "All my tracks"
    ALBUM = "album", "One album"
    TRACKS = "tracks", "Chosen tracks"
    REFERENCES = "references", "References by others"
    FILE = "file", "A file"


class MixTarget(models.Model):
    """What an artist's mixes can be judged against, beside the genres.

    ``document`` is the target as :func:`analysis.mixing.own_targets.to_document` writes it, None
    while none of its tracks has been listened to. ``stamp`` says which reports it was made of: a
    target is made anew when they are others (see :mod:`analysis.mix_targets`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey(
        "catalog.Artist", on_delete=models.CASCADE, related_name="mix_targets"
    )
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=16, choices=TargetKind)
    album = models.ForeignKey(
        "catalog.Album", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    document = models.JSONField(null=True, blank=True)
    stamp = models.CharField(max_length=64, blank=True)
    built_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                "artist",
                Lower("name"),
                name="mix_target_name_once_per_artist",
                violation_error_message="You already have a target of this name.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class MixTargetTrack(models.Model):
    """A track that a target is made of, and how much it counts (0.1 to 10)."""

    target = models.ForeignKey(MixTarget, on_delete=models.CASCADE, related_name="parts")
    track = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="+")
    weight = models.FloatField(
        default=1.0, validators=[MinValueValidator(0.1), MaxValueValidator(10.0)]
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["target", "track"], name="mix_target_track_once"),
        )

    def __str__(self) -> str:
        return f"{self.track} × {self.weight:g} in {self.target}"


# A model is found through this module.
from analysis.discovery.gallery_models import (  # noqa: E402, F401
    PairFeedback,
    Playlist,
    PlaylistItem,
)
from analysis.discovery.map_models import MapPlace, MapRun  # noqa: E402, F401
from analysis.discovery.models import (  # noqa: E402, F401
    EmbeddingSpace,
    IndexRun,
    SearchEntry,
    SectionEmbeddings,
    Snippet,
)
from analysis.labels.models import (  # noqa: E402, F401
    Adjudication,
    AdjudicationChange,
    Ballot,
    CutRecording,
    LabelImport,
    LabelSettings,
    PoolRun,
    TagExample,
    TimbreTag,
    VocalTake,
    VoiceClip,
    Vote,
)
from analysis.lyrics_models import LyricsVersion  # noqa: E402, F401
from analysis.mix_models import StemMix  # noqa: E402, F401
from analysis.registry.models import (  # noqa: E402, F401
    ComparisonRun,
    LabelSnapshot,
    ModelComparison,
    ModelVersion,
    RetaggingRun,
    ServingChange,
    TrainingRun,
)
