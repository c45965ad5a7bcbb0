"""Telling clients in time that an address will go: ``Deprecation`` (RFC 9745), ``Sunset`` (RFC
8594) and a link to what to use instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.http import http_date


@dataclass(frozen=True)
class Deprecation:
    """Since when something is deprecated, when it will be gone (at least six months later), and
    the address of the text that says what to do."""

    since: datetime
    sunset: datetime
    link: str

    def headers(self) -> dict[str, str]:
        """The headers of every answer of a deprecated address."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": http_date(self.sunset.timestamp()),
            "Link": f'<{self.link}>; rel="deprecation"; type="text/html"',
        }
