"""The answer to every address under ``/api/`` that is none."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from analysis.api import problems


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    """404, with a hint where only the slash at the end is missing."""
    hint = "" if request.path.endswith("/") else " Addresses end with a slash."
    document = problems.document("not_found", f"There is nothing at this address.{hint}")
    return HttpResponse(json.dumps(document), status=404, content_type=problems.MEDIA_TYPE)
