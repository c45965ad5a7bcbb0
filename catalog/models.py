"""Accounts, artists, discographies and their files."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.core.validators import FileExtensionValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Makes users whose name is their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(
            email, password, **{**fields, "is_staff": True, "is_superuser": True}
        )


class Role(models.TextChoices):
    ARTIST = "artist", "Artist"
    LABELLER = "labeller", "Labelling staff"
    PARTNER = "partner", "Partner"


class User(AbstractUser):
    """Somebody who logs in by e-mail. Superusers are marked by Django's own flag."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    role = models.CharField(max_length=16, choices=Role, default=Role.ARTIST)
    quota_bytes = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Storage in bytes; empty means the site's default."
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = (models.UniqueConstraint(Lower("email"), name="user_email_any_case_unique"),)

    def __str__(self) -> str:
        return self.email

    @property
    def landing_page(self) -> str:
        """Name of the page where an account begins."""
        return "partner_home" if self.role == Role.PARTNER else "library"


def picture_path(instance: models.Model, filename: str) -> str:
    """Pictures are stored under a random name; the uploaded name is never used."""
    return f"pictures/{uuid.uuid4().hex}.webp"


class Artist(models.Model):
    """The public face of an account and the owner of a discography."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="artist")
    name = models.CharField(max_length=200)
    picture = models.ImageField(upload_to=picture_path, blank=True)
    bio = models.TextField(max_length=4_000, blank=True)
    default_genre = models.CharField(
        "default target",
        max_length=64,
        blank=True,
        help_text="Mixes are judged against this; empty means the predicted genre.",
    )
    auto_separate = models.BooleanField("separate stems of new tracks by itself", default=False)
    auto_voice = models.BooleanField("analyse the voice of new tracks by itself", default=False)
    auto_lyrics = models.BooleanField(
        "write down the lyrics of new tracks by itself", default=False
    )
    may_train = models.BooleanField(
        "my recordings may be used for training",
        default=False,
        help_text="Short clips of your vocals are heard and labelled by our staff, and models "
        "learn from them. You can take this back at any time: clips and labels go, and the next "
        "model is trained without them.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["-created_at", "-id"], name="artist_newest"),)

    def __str__(self) -> str:
        return self.name


class Album(models.Model):
    """An ordered set of an artist's tracks."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey(Artist, on_delete=models.CASCADE, related_name="albums")
    title = models.CharField(max_length=300)
    artwork = models.ImageField(
        upload_to=picture_path,
        blank=True,
        validators=[FileExtensionValidator(["jpg", "jpeg", "png", "webp"])],
    )
    release_date = models.DateField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("position", "created_at")
        indexes = (models.Index(fields=["-created_at", "-id"], name="album_newest"),)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("album", args=[self.pk])


class Track(models.Model):
    """One piece of music; its sound is in its revisions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey(Artist, on_delete=models.CASCADE, related_name="tracks")
    album = models.ForeignKey(
        Album, on_delete=models.SET_NULL, null=True, blank=True, related_name="tracks"
    )
    title = models.CharField(max_length=300)
    version = models.CharField(
        max_length=120, blank=True, help_text='What follows the title: "Radio edit", "Live" …'
    )
    position = models.PositiveIntegerField(default=0)
    release_date = models.DateField(null=True, blank=True)
    composer = models.CharField(max_length=300, blank=True)
    isrc = models.CharField("ISRC", max_length=15, blank=True)
    discoverable = models.BooleanField(
        default=False,
        help_text="Other artists can find this track among similar songs and listen to it. "
        "Its report stays yours.",
    )
    may_train = models.BooleanField(
        "may be used for training",
        default=False,
        help_text="Counts only while you allow it for your recordings as a whole, on your profile.",
    )
    is_reference = models.BooleanField(
        "a reference by somebody else",
        default=False,
        help_text="Only to compare your mixes with. It stays out of your discography, and nobody "
        "else can find, hear or be sent it.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("position", "created_at")
        indexes = (
            models.Index(fields=["artist", "-created_at"]),
            models.Index(fields=["-created_at", "-id"], name="track_newest"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(is_reference=False)
                | models.Q(discoverable=False, album__isnull=True),
                name="track_reference_stays_private",
                violation_error_message="A reference by somebody else is in no album, and nobody "
                "else can find it.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.title} ({self.version})" if self.version else self.title

    def get_absolute_url(self) -> str:
        return reverse("track", args=[self.pk])


def audio_path(instance: Revision, filename: str) -> str:
    """``audio/<artist>/<revision>``: neither name nor ending comes from the uploader."""
    return f"audio/{instance.artist_id}/{instance.pk}"


class Revision(models.Model):
    """One file of a track: v1, v2 ... each with its own report. Once accepted only its note
    changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="revisions")
    # Repeated from the track so that the database itself can refuse the same content twice.
    artist = models.ForeignKey(Artist, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    file = models.FileField(upload_to=audio_path, max_length=300)
    original_name = models.CharField(max_length=300)
    content_sha256 = models.CharField(max_length=64, db_index=True)
    size_bytes = models.PositiveBigIntegerField()
    duration_s = models.FloatField(
        help_text="Seconds, as the header says; the report has the decoded length."
    )
    sample_rate = models.PositiveIntegerField(help_text="Hz")
    channels = models.PositiveSmallIntegerField()
    codec = models.CharField(max_length=40)
    container = models.CharField(max_length=60)
    bit_depth = models.PositiveSmallIntegerField(null=True, blank=True)
    lossless = models.BooleanField()
    tags = models.JSONField(default=dict, blank=True, help_text="Tags read from the file.")
    note = models.CharField(max_length=300, blank=True, help_text="What changed in this version.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        indexes = (models.Index(fields=["-created_at", "-id"], name="revision_newest"),)
        constraints = (
            models.UniqueConstraint(fields=["track", "number"], name="revision_number_unique"),
            models.UniqueConstraint(
                fields=["artist", "content_sha256"], name="revision_content_once_per_artist"
            ),
        )

    def __str__(self) -> str:
        return f"{self.track} v{self.number}"


class UploadState(models.TextChoices):
    RECEIVING = "receiving", "Receiving"
    CHECKING = "checking", "Checking"
    ACCEPTED = "accepted", "Accepted"
    REFUSED = "refused", "Refused"
    CANCELLED = "cancelled", "Cancelled"


class Upload(models.Model):
    """A resumable upload (tus 1.0): bytes arrive in pieces, then become a revision or a refusal."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey(Artist, on_delete=models.CASCADE, related_name="uploads")
    filename = models.CharField(max_length=300)
    folder = models.CharField(max_length=300, blank=True, help_text="Folder it was dropped in.")
    length_bytes = models.PositiveBigIntegerField()
    offset_bytes = models.PositiveBigIntegerField(default=0)
    # Where the file shall go: a new track (into `album`), or a new revision of `track`.
    track = models.ForeignKey(
        Track, on_delete=models.CASCADE, null=True, blank=True, related_name="uploads"
    )
    album = models.ForeignKey(
        Album, on_delete=models.SET_NULL, null=True, blank=True, related_name="uploads"
    )
    note = models.CharField(max_length=300, blank=True, help_text="Becomes the revision's note.")
    is_reference = models.BooleanField(
        default=False, help_text="Becomes a track by somebody else, to compare with."
    )
    state = models.CharField(max_length=16, choices=UploadState, default=UploadState.RECEIVING)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True, help_text="What is wrong and what to do.")
    revision = models.ForeignKey(
        Revision, on_delete=models.SET_NULL, null=True, blank=True, related_name="uploads"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["artist", "-created_at"]),)

    def __str__(self) -> str:
        return f"{self.filename} ({self.state})"


class ShareLink(models.Model):
    """An unguessable address at which one track can be seen without an account."""

    token = models.CharField(max_length=64, unique=True)
    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="share_links")
    label = models.CharField(max_length=120, blank=True, help_text="For whom it is.")
    show_audio = models.BooleanField("the sound", default=True)
    show_genre = models.BooleanField("genre and heatmap", default=True)
    show_features = models.BooleanField("tempo, key and features", default=True)
    show_mix = models.BooleanField("loudness, balance and findings", default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    views = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"Share of {self.track}"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )


from catalog.consent_models import ConsentEvent  # noqa: E402, F401
from catalog.partner_models import (  # noqa: E402, F401
    GrantRequest,
    IdempotencyRecord,
    PartnerGrant,
    PartnerToken,
    RateWindow,
    UsageDay,
)
from catalog.webhook_models import (  # noqa: E402, F401
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
