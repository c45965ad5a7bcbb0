"""Fixtures of more than one part of the analysis."""

from __future__ import annotations

import pytest

from analysis import background
from analysis.heart import Heart


@pytest.fixture
def no_queue(monkeypatch):
    """Nothing is handed out; the heart is still, whose own connection sees no row of a test."""
    monkeypatch.setattr(background, "dispatch", lambda model: 0)
    monkeypatch.setattr(Heart, "_beat", lambda heart: None)
