"""Template context that every page has."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """The product's name and whether this is the embedded demo."""
    return {"site_name": settings.SITE_NAME, "is_demo": settings.DEMO}
