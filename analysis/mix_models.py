"""Named mixes of a track's stems."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Lower

MOST_MIXES_PER_TRACK = 50


class StemMix(models.Model):
    """How an artist mixed the stems of one track, to be heard again and rendered.

    ``settings`` is what :func:`analysis.mixing.stem_mix.to_document` writes. It names stems and not
    files, so it serves every version of the track and every engine.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    track = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="stem_mixes")
    artist = models.ForeignKey(
        "catalog.Artist", on_delete=models.CASCADE, related_name="stem_mixes"
    )
    name = models.CharField(max_length=60)
    settings = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("created_at",)
        constraints = (
            models.UniqueConstraint(
                "track",
                Lower("name"),
                name="stem_mix_name_once_per_track",
                violation_error_message="This track already has a mix of this name.",
            ),
        )

    def __str__(self) -> str:
        return self.name
