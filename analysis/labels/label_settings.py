"""The one row of settings that staff set for labelling."""

from __future__ import annotations

from analysis.labels.models import LabelSettings


def current() -> LabelSettings:
    """The settings as they are now; made with their defaults where there are none."""
    found, _ = LabelSettings.objects.get_or_create(pk=1)
    return found
