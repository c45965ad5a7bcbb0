"""When consent was given and taken back. Rows are only ever added."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class ConsentAction(models.TextChoices):
    GIVEN = "given", "Given"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ConsentScope(models.TextChoices):
    ARTIST = "artist", "Recordings as a whole"
    TRACK = "track", "One track"


class ConsentEvent(models.Model):
    """One act of an artist: training on her recordings, or on one track, allowed or no longer."""

    artist = models.ForeignKey(
        "catalog.Artist", on_delete=models.CASCADE, related_name="consent_events"
    )
    scope = models.CharField(max_length=8, choices=ConsentScope)
    # None for the recordings as a whole, and where the track has been deleted since.
    track = models.ForeignKey(
        "catalog.Track",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="consent_events",
    )
    action = models.CharField(max_length=12, choices=ConsentAction)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (models.Index(fields=["artist", "scope", "-at"]),)

    def __str__(self) -> str:
        return f"{self.artist}: {self.get_scope_display()} {self.action}"
