"""The demo tracks, measured once per test run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from analysis.sound.measure import SoundMeasurements, measure
from analysis.training.demo_tracks import DemoTrack, demo_tracks

__all__ = ["DemoTrack", "demo_tracks", "measured"]


@cache
def measured(path: Path) -> SoundMeasurements:
    """Measurements of a demo track, made once per test run."""
    return measure(path)
