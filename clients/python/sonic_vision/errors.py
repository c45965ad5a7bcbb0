"""What can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SonicVisionError(Exception):
    """Everything that this client raises derives from this."""


class ConnectionLost(SonicVisionError):
    """The server could not be reached, also after all attempts."""


class TookTooLong(SonicVisionError):
    """What was waited for is not over; it goes on on the server."""


class WorkFailed(SonicVisionError):
    """A job failed or was cancelled; ``job`` says why."""

    def __init__(self, job: Any) -> None:
        super().__init__(f"{job.stage} {job.state}: {job.reason or job.reason_code}")
        self.job = job


class ApiError(SonicVisionError):
    """An answer other than success: a problem document (RFC 9457).

    ``code`` is stable and what to branch on; ``request_id`` is what to name when you write to us.
    """

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code", ""))
        self.reason = str(document.get("reason", ""))
        self.detail = str(document.get("detail") or document.get("title") or f"status {status}")
        self.errors: list[Mapping[str, str]] = list(document.get("errors", []))
        self.request_id = str(document.get("request_id", ""))
        super().__init__(f"{status} {self.code}: {self.detail}")


class Refused(ApiError):
    """A file that cannot be taken; ``detail`` says what is wrong with it and what to do."""
