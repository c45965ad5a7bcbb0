"""Model versions, the runs that trained them, how they compare, and who switched them on."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from analysis.background import BackgroundWork


class ModelName(models.TextChoices):
    TIMBRE = "timbre", "Vocal timbre"
    EARS = "ears", "Genre, features and similarity"


class Origin(models.TextChoices):
    SHIPPED = "shipped", "Came with the product"
    TRAINED = "trained", "Trained on this site"
    UPLOADED = "uploaded", "Uploaded by staff"


class ModelVersion(models.Model):
    """Weights (safetensors), manifest and card of one version, kept in the storage for ever unless
    staff delete it. Files of shipped versions stay where they ship."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.CharField(max_length=20, choices=ModelName)
    version = models.CharField(max_length=40)
    identity = models.CharField(
        max_length=80, unique=True, help_text="Name, version and beginning of the checksum."
    )
    sha256 = models.CharField(max_length=64)
    origin = models.CharField(max_length=16, choices=Origin)
    folder = models.CharField(
        max_length=300, blank=True, help_text="Prefix in the storage; empty for shipped ones."
    )
    manifest = models.JSONField(help_text="NAME.json: settings, figures, recipe, licence, source.")
    card = models.TextField(blank=True, help_text="The model card, Markdown.")
    is_serving = models.BooleanField(default=False)
    trained_by = models.OneToOneField(
        "TrainingRun", on_delete=models.SET_NULL, null=True, blank=True, related_name="made"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["model"],
                condition=models.Q(is_serving=True),
                name="model_version_one_serves",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


class Trigger(models.TextChoices):
    CLICK = "click", "A click"
    SCHEDULE = "schedule", "The schedule"
    LABELS = "labels", "Enough new labels"
    COMMAND = "command", "A command"


class LabelSnapshot(models.Model):
    """The labels as they were at one moment; never changed. ``sha256`` is that of ``rows``, written
    as canonical JSON (sorted keys, no blanks).

    rows: [{clip, name, singer, held_out, labels: {tag: 0..1}, votes: {tag: n}}], where ``clip`` is
    the sha256 of its file.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    rows = models.JSONField()
    clips = models.PositiveIntegerField()
    singers = models.PositiveIntegerField()
    tags = models.JSONField(default=list)
    withdrawn_clips = models.PositiveIntegerField(
        default=0,
        help_text="Rows that went with their consent since: ``rows`` are no longer what ``sha256`` "
        "is of, and nothing is trained on them again. ``clips`` and ``singers`` stay as they were.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.sha256[:12]


class TrainingRun(BackgroundWork):
    """One training, with all that its outcome depends on."""

    model = models.CharField(max_length=20, choices=ModelName)
    trigger = models.CharField(max_length=16, choices=Trigger, default=Trigger.CLICK)
    snapshot = models.ForeignKey(
        LabelSnapshot, on_delete=models.PROTECT, null=True, blank=True, related_name="runs"
    )
    data = models.JSONField(
        default=dict, blank=True, help_text="For other models: what they were trained on."
    )
    recipe = models.JSONField(default=dict, blank=True)
    seed = models.IntegerField(default=7)
    code_version = models.CharField(max_length=80, blank=True)
    device = models.CharField(max_length=20, blank=True)
    curves = models.JSONField(
        default=list, blank=True, help_text="One object per epoch: epoch, loss, held_out_entropy …"
    )
    figures = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.model} run {self.created_at:%Y-%m-%d %H:%M}"


class Verdict(models.TextChoices):
    BETTER = "better", "Better"
    NOT_WORSE = "not_worse", "Not worse"
    WORSE = "worse", "Worse"
    UNDECIDED = "undecided", "Too little to tell"


class ModelComparison(models.Model):
    """A candidate beside the version that served then, on the same held-out data."""

    candidate = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="comparisons"
    )
    baseline = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    held_out_sha256 = models.CharField(max_length=64)
    figures = models.JSONField(
        help_text="per tag and over all: average precision, F1, calibration, intervals, p."
    )
    mistakes = models.JSONField(default=list, help_text="The worst: clip, tag, label, answers.")
    verdict = models.CharField(max_length=16, choices=Verdict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.candidate} against {self.baseline}: {self.verdict}"


class ServingChange(models.Model):
    """Who switched a model on, when, and instead of which: the audit. Never changed or deleted."""

    model = models.CharField(max_length=20, choices=ModelName)
    before = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    after = models.ForeignKey(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    before_identity = models.CharField(max_length=80, blank=True)
    after_identity = models.CharField(max_length=80)
    is_rollback = models.BooleanField(default=False)
    note = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    by_email = models.CharField(max_length=254, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.before_identity} -> {self.after_identity}"


class RetaggingRun(BackgroundWork):
    """All tracks tagged anew by a version that was switched on. The watchdog moves it on, no
    worker (:mod:`analysis.registry.retagging`)."""

    model = models.CharField(max_length=20, choices=ModelName)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="retaggings")
    total = models.PositiveIntegerField(null=True, blank=True, help_text="None: not counted yet.")
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.version}: {self.done} of {self.total}"


class ComparisonRun(BackgroundWork):
    """A candidate put beside the serving version, because somebody asked for it by a click."""

    candidate = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.candidate}: {self.state}"
