"""Listening to what the catalogue announces."""

from __future__ import annotations


def connect() -> None:
    """Connect every receiver; called once when the app is ready."""
