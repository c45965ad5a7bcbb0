"""What the queue's workers call. A task takes ids and calls one service."""

from __future__ import annotations

import uuid

from analysis import background, services


def housekeeping() -> None:
    """Clean up after crashes; harmless at any time."""
    services.housekeeping()


def ask_for_forgotten() -> None:
    """Ask for what was announced and got lost; harmless at any time."""
    services.ask_for_forgotten()


def run_job(job_id: str, ticket: str) -> None:
    """Do one job, if its ticket is still good."""
    services.run(uuid.UUID(job_id), uuid.UUID(ticket))


def run_background(label: str, work_id: str, ticket: str) -> None:
    """Do one piece of long work, if its ticket is still good."""
    background.run(label, uuid.UUID(work_id), uuid.UUID(ticket))
