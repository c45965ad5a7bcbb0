"""The map of the catalogue: where each track lies on it, and the runs that draw it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from analysis.background import BackgroundWork


class MapPlace(models.Model):
    """Where a track lies on the map of a space. The middle is 0, 0, and half of the tracks lie
    within 1 of it when a map is first drawn.

    Hidden tracks have places too; who may see one is asked of :class:`SearchEntry` in the query.
    """

    space = models.ForeignKey("analysis.EmbeddingSpace", on_delete=models.CASCADE, db_index=False)
    track = models.ForeignKey("catalog.Track", on_delete=models.CASCADE, related_name="+")
    report = models.ForeignKey(
        "analysis.Report",
        on_delete=models.CASCADE,
        related_name="+",
        help_text="The content that lies there: a new version of the track is placed anew.",
    )
    x = models.FloatField()
    y = models.FloatField()
    rank = models.FloatField(
        help_text="0 to 1, by lot but always the same: which tracks are shown where not all can be."
    )
    is_learned = models.BooleanField(
        help_text="Took part in drawing the map; otherwise placed beside those that did."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["space", "track"], name="map_place_once_per_track"),
        )
        indexes = (
            models.Index(fields=["space", "rank"], name="map_place_rank"),
            models.Index(fields=["space", "x", "y"], name="map_place_xy"),
        )

    def __str__(self) -> str:
        return f"{self.track_id} at {self.x:.2f}, {self.y:.2f}"


class MapRun(BackgroundWork):
    """Drawing the map, or placing new tracks on the one there is."""

    queue: ClassVar[str] = "heavy"

    space = models.ForeignKey(
        "analysis.EmbeddingSpace", on_delete=models.CASCADE, related_name="map_runs"
    )
    tracks = models.PositiveIntegerField(default=0, help_text="On the map when it ended.")
    is_redrawn = models.BooleanField(
        default=False, help_text="Drawn anew; otherwise new tracks were placed and none moved."
    )
    kept_share = models.FloatField(
        null=True,
        blank=True,
        help_text="Of each track's ten nearest, the share still among ten on the map.",
    )
    chance_share = models.FloatField(null=True, blank=True, help_text="The same for places by lot.")
    moved = models.FloatField(
        null=True,
        blank=True,
        help_text="Median way of a track from the map before; 1 is half its size.",
    )
