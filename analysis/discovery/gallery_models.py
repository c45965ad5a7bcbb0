"""What people make of similar tracks: verdicts on pairs, and playlists."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Verdict(models.TextChoices):
    SIMILAR = "similar", "Similar"
    NOT_SIMILAR = "not_similar", "Not similar"


class PairFeedback(models.Model):
    """What one account thinks of a pair of tracks. A pair has no order: ``track_a`` is the one with
    the smaller id. The contents that were compared stay known when a track gets a new version."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pair_feedback"
    )
    track_a = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="+")
    track_b = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="+")
    content_a_sha256 = models.CharField(max_length=64)
    content_b_sha256 = models.CharField(max_length=64)
    verdict = models.CharField(max_length=16, choices=Verdict)
    model_version = models.CharField(max_length=64, help_text="Of the space it was shown in.")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["user", "track_a", "track_b"], name="pair_feedback_once_per_user"
            ),
            models.CheckConstraint(
                condition=Q(track_a__lt=F("track_b")), name="pair_feedback_in_order"
            ),
        )

    def __str__(self) -> str:
        return f"{self.track_a_id} and {self.track_b_id}: {self.verdict}"


class Playlist(models.Model):
    """Tracks in an order that an artist chose; nobody else sees it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artist = models.ForeignKey("catalog.Artist", on_delete=models.CASCADE, related_name="playlists")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-changed_at",)
        indexes = (models.Index(fields=["-created_at", "-id"], name="playlist_newest"),)

    def __str__(self) -> str:
        return self.name


class PlaylistItem(models.Model):
    """One track of a playlist. Whether the artist may still hear it is asked at each showing."""

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="items")
    track = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ("position", "pk")
        constraints = (
            models.UniqueConstraint(fields=["playlist", "track"], name="playlist_track_once"),
        )

    def __str__(self) -> str:
        return f"{self.track_id} in {self.playlist_id}"
