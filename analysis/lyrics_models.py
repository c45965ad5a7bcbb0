"""The artist's own lyrics, beside what the machine heard."""

from __future__ import annotations

from django.db import models

VERSIONS_KEPT = 30
"""Of each revision; older ones are dropped as new ones come."""


class LyricsOrigin(models.TextChoices):
    EDITED = "edited", "Edited"
    IMPORTED = "imported", "Imported with its times"
    ALIGNED = "aligned", "Own text, timed to the voice"
    MACHINE = "machine", "Back to what was heard"


class LyricsVersion(models.Model):
    """One state of an artist's lyrics of one revision. Nothing is changed in it: a save is a new
    row, and the newest one is what counts.

    ``number`` grows by one with each save, so that who saves over a version that they have not seen
    is told. ``lines`` are judged lines (:func:`analysis.lyrics_document.judge_lines`); with the
    origin ``machine`` they are empty, and the machine's report is shown again.
    """

    revision = models.ForeignKey(
        "catalog.Revision", on_delete=models.CASCADE, related_name="lyrics_versions"
    )
    number = models.PositiveIntegerField()
    origin = models.CharField(max_length=16, choices=LyricsOrigin)
    language = models.CharField(max_length=8, blank=True, help_text="ISO 639-1; empty if unknown.")
    lines = models.JSONField(default=list, blank=True)
    author = models.ForeignKey(
        "catalog.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["revision", "number"], name="lyrics_number_once"),
        )

    def __str__(self) -> str:
        return f"lyrics {self.number} of {self.revision_id} ({self.origin})"
