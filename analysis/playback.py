"""The streaming services that staff keep in the admin, as the pages use them."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.mixing.streaming import Playback, ServiceTarget
from analysis.mixing.streaming import playback as played
from analysis.models import StreamingService


def service_targets() -> list[ServiceTarget]:
    """The active services in their order: half a dozen rows, read anew for each page, so that
    what staff change is seen at once."""
    return [
        ServiceTarget(
            name=row.name,
            reference_lufs=row.reference_lufs,
            true_peak_dbtp=row.true_peak_dbtp,
            turns_up=row.turns_up,
            as_of=row.as_of,
        )
        for row in StreamingService.objects.filter(active=True)
    ]


def playback(integrated_lufs: float, *, true_peak_dbtp: float | None) -> list[Playback]:
    """What each active service does to a track of this loudness."""
    return played(integrated_lufs, true_peak_dbtp=true_peak_dbtp, services=service_targets())


def as_of(services: Sequence[ServiceTarget]) -> str:
    """When the figures were read, in words: ``June 2026``, or the oldest and newest month."""
    if not services:
        return ""
    days = sorted(service.as_of for service in services)
    oldest, newest = (f"{day:%B %Y}" for day in (days[0], days[-1]))
    return oldest if oldest == newest else f"{oldest} to {newest}"
