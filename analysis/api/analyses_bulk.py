"""Stages of many files in one call, each with its own result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis.api import idempotency
from analysis.api.analyses import AnalysisIn, ask, revision_rows
from analysis.api.batches import items_of, read_each
from analysis.api.jobs import JobOut
from analysis.api.problems import Problem
from analysis.api.resources import ApiView
from analysis.api.serializing import Input, ProblemDocument, StrictUUID
from catalog.models import Revision
from catalog.partner_models import Scope

_REVISION = "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20"


class AnalysisItemIn(AnalysisIn):
    """A stage of one of many files."""

    example: ClassVar[dict[str, Any]] = {**AnalysisIn.example, "revision": _REVISION}

    revision = StrictUUID()


class AnalysesBulkIn(Input):
    """Stages of up to 1,000 files, of one artist or of several."""

    example: ClassVar[dict[str, Any]] = {
        "items": [AnalysisItemIn.example, {"revision": _REVISION, "stage": "lyrics"}]
    }

    items = AnalysisItemIn(many=True)


class AnalysesBulkResult(serializers.Serializer):
    """What came of one item: a job, or a problem."""

    index = serializers.IntegerField(help_text="Its place in the call, from 0.")
    status = serializers.IntegerField(help_text="202, or what the call alone would have got.")
    job = JobOut(allow_null=True)
    problem = ProblemDocument(allow_null=True)


class AnalysesBulkOut(serializers.Serializer):
    """What came of each item, in their order."""

    example: ClassVar[dict[str, Any]] = {
        "accepted": 1,
        "failed": 1,
        "results": [
            {"index": 0, "status": 202, "job": JobOut.example, "problem": None},
            {"index": 1, "status": 404, "job": None, "problem": ProblemDocument.example},
        ],
    }

    accepted = serializers.IntegerField()
    failed = serializers.IntegerField()
    results = AnalysesBulkResult(many=True)


class AnalysesBulkView(ApiView):
    """Ask for stages of up to 1,000 files at once. Each item has its own result: what is wrong with
    one does not keep the others."""

    tag = "analyses"
    summaries = {"POST": "Ask for stages of many files"}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.TRANSACTION
    requests: ClassVar[dict[str, Any]] = {"POST": AnalysesBulkIn}
    answers: ClassVar[dict[str, Any]] = {"POST": {202: AnalysesBulkOut}}

    def post(self, request: Request) -> Response:
        checked = read_each(AnalysisItemIn, items_of(request.data, "analyses"))
        wanted = {each["revision"] for each in checked if not isinstance(each, Problem)}
        revisions = self.caller.visible(revision_rows(), owner="artist").in_bulk(list(wanted))
        outcomes: list[Any] = [self._refusal(each, revisions) for each in checked]
        groups: dict[frozenset[tuple[str, Any]], list[int]] = {}
        for index, each in enumerate(checked):
            if outcomes[index] is None and not isinstance(each, Problem):
                same = frozenset(item for item in each.items() if item[0] != "revision")
                groups.setdefault(same, []).append(index)
        with transaction.atomic():
            for options, indices in groups.items():
                self._ask(dict(options), indices, checked, revisions, outcomes)
        return Response(self._written(outcomes), status=202)

    def _refusal(
        self, item: dict[str, Any] | Problem, revisions: Mapping[UUID, Revision]
    ) -> Problem | None:
        if isinstance(item, Problem):
            return item
        revision = revisions.get(item["revision"])
        if revision is None:
            return Problem("not_found")
        try:
            self.caller.require(revision.artist_id, Scope.WRITE)
        except Problem as problem:
            return problem
        return None

    def _ask(
        self,
        options: dict[str, Any],
        indices: list[int],
        checked: list[Any],
        revisions: Mapping[UUID, Revision],
        outcomes: list[Any],
    ) -> None:
        ids = list(dict.fromkeys(checked[index]["revision"] for index in indices))
        try:
            made = ask(options, [revisions[pk] for pk in ids])
        except Problem as problem:
            for index in indices:
                outcomes[index] = problem
            return
        by_revision = dict(zip(ids, made, strict=True))
        for job in made:
            job.revision = revisions[job.revision_id]
        for index in indices:
            outcomes[index] = by_revision[checked[index]["revision"]]

    def _written(self, outcomes: list[Any]) -> dict[str, Any]:
        context = self.context()
        results = []
        for index, outcome in enumerate(outcomes):
            problem = outcome if isinstance(outcome, Problem) else None
            results.append(
                {
                    "index": index,
                    "status": problem.status_code if problem else 202,
                    "job": None if problem else JobOut(outcome, context=context).data,
                    "problem": problem.document() if problem else None,
                }
            )
        failed = sum(each["problem"] is not None for each in results)
        return {"accepted": len(results) - failed, "failed": failed, "results": results}
