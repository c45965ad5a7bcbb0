"""Snippets: sound that is lent to search with, and forgotten after an hour."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import idempotency
from analysis.api.form_files import TakesForm
from analysis.api.problems import Problem
from analysis.api.resources import Reading
from analysis.api.serializing import Output
from analysis.api.similar import Searching
from analysis.background import WorkState
from analysis.discovery import snippet as snippets
from analysis.discovery.models import Snippet
from analysis.discovery.request import Seed
from catalog.partner_models import Scope


class SnippetOut(Output):
    """A piece of sound that was lent. Ask again every second until `state` is `done`, then go to
    `similar_url`. Only your account can use it."""

    example: ClassVar[dict[str, Any]] = {
        "id": "8d1c5d22-6f1b-4b57-9a55-0b8f1b0b3f10",
        "name": "hummed.m4a",
        "duration_s": 21.3,
        "state": "queued",
        "percent": 0,
        "reason_code": "",
        "reason": "",
        "similar_url": "https://music.example.org/api/v1/snippets/"
        "8d1c5d22-6f1b-4b57-9a55-0b8f1b0b3f10/similar/",
        "created_at": "2026-02-01T10:00:00Z",
        "expires_at": "2026-02-01T11:00:00Z",
    }

    id = serializers.UUIDField()
    name = serializers.CharField(source="original_name")
    duration_s = serializers.FloatField(help_text="Seconds, as the file's header says.")
    state = serializers.ChoiceField(choices=WorkState.choices)
    percent = serializers.IntegerField()
    reason_code = serializers.CharField(help_text="Why it failed; stable.")
    reason = serializers.CharField(help_text="Why it failed, for people.")
    similar_url = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until when it can be searched with.")

    def get_similar_url(self, snippet: Snippet) -> str:
        address = reverse("api:snippet_similar", args=[snippet.pk])
        return self.context["request"].build_absolute_uri(address)


class SnippetForm(serializers.Serializer):
    """Any sound that can be uploaded: ten minutes and 60 MB at most."""

    file = serializers.FileField()


class SnippetsView(TakesForm):
    """Lend a file to find similar tracks. It is heard, deleted at once, and forgotten after an
    hour; nothing is added to any catalogue."""

    tag = "similar"
    summaries = {"POST": "Lend a file to search with"}
    scopes = {"POST": Scope.READ}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.MARK
    requests: ClassVar[dict[str, Any]] = {"POST": {"multipart/form-data": SnippetForm}}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: SnippetOut}}

    def room_bytes(self) -> int:
        return snippets.MOST_BYTES

    def refuse_large(self, size_bytes: int) -> Problem:
        return Problem(
            "too_large",
            f"A snippet is at most {snippets.MOST_BYTES >> 20} MB large.",
            reason="too_large",
        )

    def post(self, request: Request) -> Response:
        file, _ = self.form(request)
        try:
            snippet = snippets.receive(file, name=file.name or "", by=self.caller.user)
        except snippets.SnippetRefused as refusal:
            raise _refused(refusal) from refusal
        data = SnippetOut(snippet, context=self.context()).data
        address = reverse("api:snippet", args=[snippet.pk])
        return Response(data, status=202, headers={"Location": address})


def _refused(refusal: snippets.SnippetRefused) -> Problem:
    code = {"too_many": "rate_limited", "too_large": "too_large"}.get(refusal.code, "refused")
    headers = {"Retry-After": "600"} if code == "rate_limited" else {}
    return Problem(code, refusal.message, reason=refusal.code, headers=headers)


class SnippetView(Reading):
    """How far a snippet is."""

    tag = "similar"
    summaries = {"GET": "Read a snippet"}
    output = SnippetOut

    def rows(self) -> QuerySet[Snippet]:
        return Snippet.objects.all()

    def one(self, scope: str) -> Snippet:
        """The snippet, if the caller's account lent it. Raises Problem."""
        mine = self.rows().filter(created_by=self.caller.user, pk=self.kwargs["snippet_id"])
        found = mine.first()
        if found is None:
            raise Problem("not_found")
        return found


class SnippetSimilarView(Searching):
    """Tracks like a file that was lent; 409 until it has been heard."""

    summaries = {"GET": "Find tracks like a file"}

    def get(self, request: Request, snippet_id: UUID) -> Response:
        return self.answer(self.found(request, Seed.snippet(snippet_id)), {})
