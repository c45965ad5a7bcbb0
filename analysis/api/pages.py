"""Pages for developers: the guide's front page, Swagger UI and ReDoc, all served from here."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from analysis.api import rates
from analysis.api.problems import KINDS
from catalog.partner_models import Scope

# Both viewers set styles on what they draw; scripts stay those of this site alone.
_VIEWER: dict[str, Any] = {"style-src": ["'unsafe-inline'"]}


@require_safe
def developers(request: HttpRequest) -> HttpResponse:
    """What the interface is, how to begin, and what every problem code means."""
    context = {
        "problems": [
            {"code": code, "status": kind.status, "title": kind.title}
            for code, kind in KINDS.items()
        ],
        "scopes": Scope.choices,
        "base": request.build_absolute_uri("/api/v1/"),
        "calls": rates.ORDINARY.calls,
        "costly": rates.COSTLY.calls,
    }
    return render(request, "api/developers.html", context)


@require_safe
@csp_update(_VIEWER)
def swagger(request: HttpRequest) -> HttpResponse:
    """Swagger UI: try calls out."""
    return render(request, "api/swagger.html")


@require_safe
@csp_update(_VIEWER)
def redoc(request: HttpRequest) -> HttpResponse:
    """ReDoc: read the reference."""
    return render(request, "api/redoc.html")


urlpatterns = [
    path("developers/", developers, name="developers"),
    path("developers/swagger/", swagger, name="api_swagger"),
    path("developers/redoc/", redoc, name="api_redoc"),
]
