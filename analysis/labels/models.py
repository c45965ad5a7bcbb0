"""Tags, clips, and what people heard in them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Floor, Lower

from analysis.background import BackgroundWork


class TimbreTag(models.Model):
    """A word for the sound of a voice. Retired tags keep their votes."""

    slug = models.SlugField(max_length=40, unique=True, help_text="As models and files name it.")
    name = models.CharField(max_length=40)
    key = models.CharField(
        max_length=1, blank=True, help_text="The key that gives this tag on the labelling page."
    )
    guideline = models.TextField(
        max_length=4_000, blank=True, help_text="When to say yes, when no, and what it is not."
    )
    order = models.PositiveSmallIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("order", "slug")
        constraints = (
            models.UniqueConstraint(
                Lower("key"),
                condition=models.Q(retired_at__isnull=True) & ~models.Q(key=""),
                name="timbre_tag_key_once",
                violation_error_message="Another tag has this key.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class VocalTake(models.Model):
    """A dry recording of a voice, uploaded to be cut into clips. Its artist has consented by
    uploading it for this purpose, or staff have the consent in writing (``source``)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey(
        "catalog.Artist",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="vocal_takes",
        help_text="Whose voice it is, if she has an account.",
    )
    singer = models.CharField(max_length=200, help_text="Clips of one singer stay together.")
    file = models.CharField(max_length=300, help_text="Name in the storage.")
    original_name = models.CharField(max_length=300)
    content_sha256 = models.CharField(max_length=64, unique=True)
    duration_s = models.FloatField()
    size_bytes = models.PositiveBigIntegerField()
    source = models.CharField(max_length=300, blank=True, help_text="Where consent is written.")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.singer}: {self.original_name}"


class ClipState(models.TextChoices):
    POOL = "pool", "In the pool"
    DUPLICATE = "duplicate", "Much like another clip"
    UNUSABLE = "unusable", "Marked as unusable by staff"


class VoiceClip(models.Model):
    """Three to five seconds of one voice, mono FLAC at 32 kHz, to be labelled.

    It exists as long as its artist's consent: with that it goes, and its ballots with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        max_length=200, unique=True, help_text="File name in imports and exports; never changes."
    )
    singer = models.CharField(max_length=200, db_index=True, help_text="What splits are made by.")
    artist = models.ForeignKey(
        "catalog.Artist",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="voice_clips",
    )
    revision = models.ForeignKey(
        "catalog.Revision",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="voice_clips",
    )
    take = models.ForeignKey(
        VocalTake, on_delete=models.CASCADE, null=True, blank=True, related_name="clips"
    )
    start_s = models.FloatField()
    end_s = models.FloatField()
    file = models.CharField(max_length=300, help_text="Name in the storage.")
    content_sha256 = models.CharField(max_length=64, unique=True, help_text="Of the FLAC file.")
    state = models.CharField(max_length=16, choices=ClipState, default=ClipState.POOL)
    duplicate_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="duplicates"
    )
    fingerprint = models.JSONField(
        default=list, blank=True, help_text="Embedding (floats) by which near-duplicates are found."
    )
    facts = models.JSONField(
        default=dict, blank=True, help_text="voiced_share, over_accompaniment_db, clipped_percent."
    )
    # The draw: a number in 0..1, given once at random. Which clips are held out for evaluation, are
    # drawn as random control, or get several votes follows from it, so it never depends on a model.
    lot = models.FloatField(db_index=True)
    is_held_out = models.BooleanField(
        default=False,
        db_index=True,
        help_text="Only ever used to compare models, never to train one. Decided by singer.",
    )
    predicted = models.JSONField(
        default=dict, blank=True, help_text="Probability by tag, of the model named beside."
    )
    predicted_by = models.CharField(max_length=80, blank=True, help_text="Identity of the model.")
    # Gold clips check raters: these answers ({tag: "yes" | "no"}) are known. Empty for all others.
    gold = models.JSONField(default=dict, blank=True)
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    locked_until = models.DateTimeField(null=True, blank=True)
    locked_for = models.CharField(
        max_length=20, blank=True, help_text="Why the queue chose it, see ``Ballot.strategy``."
    )
    locked_page = models.UUIDField(
        null=True, blank=True, help_text="The open page that asked for it, if it said which."
    )
    # Counted anew by ``ballots.recount`` whenever ballots change, so that the queue need not.
    votes = models.PositiveIntegerField(
        default=0, editable=False, help_text="Ballots that are more than a skip."
    )
    is_disputed = models.BooleanField(
        default=False, editable=False, help_text="Some say yes and some say no to the same tag."
    )
    # A second draw, from later digits of the lot: which clips get several votes.
    overlap_lot = models.GeneratedField(
        expression=models.F("lot") * 1000.0 - Floor(models.F("lot") * 1000.0),
        output_field=models.FloatField(),
        db_persist=True,
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at", "name")
        indexes = (
            models.Index(fields=["state", "is_held_out", "lot"]),
            models.Index(
                fields=["is_held_out", "lot"],
                condition=models.Q(state="pool", votes=0, gold={}),
                name="voice_clip_without_votes",
            ),
            models.Index(
                fields=["overlap_lot"],
                condition=models.Q(state="pool", votes__gt=0, gold={}),
                name="voice_clip_more_votes",
            ),
            models.Index(
                fields=["votes"],
                condition=models.Q(state="pool", is_disputed=True, gold={}),
                name="voice_clip_disputed",
            ),
            models.Index(
                fields=["lot"],
                condition=models.Q(state="pool") & ~models.Q(gold={}),
                name="voice_clip_gold",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s


class Answer(models.TextChoices):
    YES = "yes", "Yes"
    NO = "no", "No"
    UNSURE = "unsure", "Can't tell"


class Ballot(models.Model):
    """What one person answered about one clip, once. Changing one's mind changes the votes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clip = models.ForeignKey(VoiceClip, on_delete=models.CASCADE, related_name="ballots")
    # None: imported from a file that names no rater, see ``imported_from``.
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="ballots",
    )
    imported_from = models.CharField(max_length=200, blank=True)
    strategy = models.CharField(
        max_length=20,
        blank=True,
        help_text="Why the queue chose the clip: uncertain, balance, control, overlap, disputed, "
        "gold, or again (it was skipped before).",
    )
    seconds = models.FloatField(null=True, blank=True, help_text="From hearing it to answering.")
    skipped = models.BooleanField(default=False, help_text="Passed over, without any vote.")
    guess_shown = models.BooleanField(
        default=False, help_text="The model's guess was shown after this answer."
    )
    changed_knowing = models.BooleanField(
        default=False, help_text="Changed after the model's guess had been shown."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("created_at",)
        constraints = (
            models.UniqueConstraint(fields=["clip", "rater"], name="ballot_once_per_rater"),
        )
        indexes = (models.Index(fields=["rater", "-created_at"]),)

    def __str__(self) -> str:
        return f"{self.rater or self.imported_from} on {self.clip}"


class Vote(models.Model):
    """One answer about one tag. A tag that was left open has no vote."""

    ballot = models.ForeignKey(Ballot, on_delete=models.CASCADE, related_name="votes")
    tag = models.ForeignKey(TimbreTag, on_delete=models.PROTECT, related_name="votes")
    answer = models.CharField(max_length=8, choices=Answer)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["ballot", "tag"], name="vote_once_per_ballot_and_tag"),
        )

    def __str__(self) -> str:
        return f"{self.tag}: {self.answer}"


class Adjudication(models.Model):
    """A disputed answer that staff have settled; it stands above the votes, which stay."""

    clip = models.ForeignKey(VoiceClip, on_delete=models.CASCADE, related_name="adjudications")
    tag = models.ForeignKey(TimbreTag, on_delete=models.PROTECT, related_name="+")
    answer = models.CharField(max_length=8, choices=Answer)
    note = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["clip", "tag"], name="adjudication_once_per_clip_tag"),
        )

    def __str__(self) -> str:
        return f"{self.clip} {self.tag}: {self.answer}"


class AdjudicationChange(models.Model):
    """Who settled what, and when: one row per decision, never changed. It goes with its clip."""

    clip = models.ForeignKey(
        VoiceClip, on_delete=models.CASCADE, related_name="adjudication_changes"
    )
    tag = models.ForeignKey(TimbreTag, on_delete=models.PROTECT, related_name="+")
    answer = models.CharField(
        max_length=8, choices=Answer, blank=True, help_text="Empty: left to the votes again."
    )
    note = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    by_email = models.CharField(max_length=254, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.clip} {self.tag}: {self.answer or 'open again'}"


class TagExample(models.Model):
    """A sound that shows what a tag means, or does not mean, in the guidelines."""

    tag = models.ForeignKey(TimbreTag, on_delete=models.CASCADE, related_name="examples")
    clip = models.ForeignKey(VoiceClip, on_delete=models.CASCADE, related_name="+")
    shows = models.CharField(max_length=8, choices=Answer)
    caption = models.CharField(max_length=200, blank=True)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("order", "pk")

    def __str__(self) -> str:
        return f"{self.tag} {self.shows}: {self.clip}"


class LabelSettings(models.Model):
    """How the queue works, for staff to set; there is one row."""

    control_share = models.FloatField(
        default=0.2, help_text="Drawn at random, whatever a model says."
    )
    gold_share = models.FloatField(default=0.05, help_text="Clips with known answers, slipped in.")
    overlap_share = models.FloatField(default=0.1, help_text="Clips that get several votes.")
    overlap_votes = models.PositiveSmallIntegerField(default=3)
    held_out_share = models.FloatField(
        default=0.2, help_text="Share of singers whose clips only compare models."
    )
    lock_minutes = models.PositiveSmallIntegerField(default=10)
    train_after_labels = models.PositiveIntegerField(
        default=0, help_text="Train by itself after so many newly labelled clips; 0 is never."
    )
    train_every_days = models.PositiveSmallIntegerField(
        default=0, help_text="Train by itself so often, where there are new labels; 0 is never."
    )

    def __str__(self) -> str:
        return "Label settings"


class PoolRun(BackgroundWork):
    """One walk over the consenting discographies: separate, cut, drop near-duplicates."""

    counts = models.JSONField(
        default=dict,
        blank=True,
        help_text="tracks, done, waiting, clips, duplicates, failed and so on, so far.",
    )
    scope = models.JSONField(
        default=dict, blank=True, help_text="artist ids it is limited to; empty for all."
    )


class CutRecording(models.Model):
    """A version of a track, or a take, that has been cut into clips: it is not cut again by the
    same ``cutting_version``."""

    revision = models.OneToOneField(
        "catalog.Revision", on_delete=models.CASCADE, null=True, blank=True, related_name="cut"
    )
    take = models.OneToOneField(
        VocalTake, on_delete=models.CASCADE, null=True, blank=True, related_name="cut"
    )
    cutting_version = models.CharField(max_length=20)
    clips = models.PositiveIntegerField(default=0, help_text="Of it, near-duplicates included.")
    duplicates = models.PositiveIntegerField(default=0)
    identical = models.PositiveIntegerField(
        default=0, help_text="Clips that are in the pool, sample by sample, from elsewhere."
    )
    reason = models.CharField(max_length=300, blank=True, help_text="Why there are no clips.")
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.revision or self.take}: {self.clips} clips"


class LabelImport(models.Model):
    """A table of labels that was read and looked through, and perhaps written."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    original_name = models.CharField(max_length=300)
    encoding = models.CharField(max_length=20)
    delimiter = models.CharField(max_length=4)
    rows = models.JSONField(default=list, help_text="Understood rows, as they will be written.")
    problems = models.JSONField(default=list, help_text="[{line, column, text}] of bad rows.")
    summary = models.JSONField(default=dict, blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    written_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.original_name
