"""Analyses: asking for a stage of a file, how far all stages are, and what each found."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import selectors
from analysis.api import conditions, idempotency
from analysis.api.jobs import JobOut, accepted
from analysis.api.problems import Problem
from analysis.api.resources import ApiView, Reading
from analysis.api.serializing import Input, Output, StrictBoolean
from analysis.lyrics_languages import LANGUAGES
from analysis.lyrics_selectors import heard_report, lyrics_job
from analysis.models import Job, Report, Stage
from analysis.neural.separation import engines
from analysis.stage_requests import EngineMissing, StageUnavailable, request_stage
from catalog.models import Revision
from catalog.partner_models import Scope

FIND_OUT = "auto"

LANGUAGE_WISHES = (FIND_OUT, *LANGUAGES)
"""What a call may say about the language of lyrics."""


class AnalysisIn(Input):
    """A stage of a file. Stems are made first where a stage needs them."""

    example: ClassVar[dict[str, Any]] = {"stage": "separate"}

    stage = serializers.ChoiceField(choices=Stage.choices)
    afresh = StrictBoolean(required=False, help_text="Repeat what is done already.")
    language = serializers.ChoiceField(
        choices=LANGUAGE_WISHES,
        required=False,
        help_text="Of the lyrics; without it what was chosen for the track before.",
    )
    engine = serializers.ChoiceField(
        choices=[engines.AUTO, *engines.BY_QUALITY],
        required=False,
        help_text="Of the stems; without it the best of this site.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, stage in (("language", Stage.LYRICS), ("engine", Stage.SEPARATE)):
            if name in attrs and attrs["stage"] != stage:
                raise serializers.ValidationError(
                    {name: [f"This is only for the stage “{stage}”."]}, code="unknown"
                )
        return attrs


class StageOut(Output):
    """One stage of a file: the job that was asked for last, and whether there is a result (which
    may be an older one, while a newer is in the making)."""

    example: ClassVar[dict[str, Any]] = {
        "stage": "listen",
        "job": JobOut.example,
        "model_version": "m3+ears-1.0.0-1a2b3c4d",
        "result_at": "2026-02-01T10:00:30Z",
        "result_url": "https://music.example.org/api/v1/revisions/"
        "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20/analyses/listen/",
    }

    stage = serializers.ChoiceField(choices=Stage.choices)
    job = JobOut(allow_null=True, help_text="Null: nobody has asked for it.")
    model_version = serializers.CharField(allow_null=True, help_text="What made the result.")
    result_at = serializers.DateTimeField(allow_null=True)
    result_url = serializers.URLField(allow_null=True, help_text="Null: there is no result yet.")


class AnalysesOut(serializers.Serializer):
    """All stages of a file."""

    example: ClassVar[dict[str, Any]] = {"results": [StageOut.example]}

    results = StageOut(many=True)


class ResultOut(Output):
    """What a stage found. `document` has the stable keys that the guides of the stages list."""

    example: ClassVar[dict[str, Any]] = {
        "stage": "voice",
        "model_version": "v1+timbre-1.0.0-1a2b3c4d",
        "created_at": "2026-02-01T10:00:30Z",
        "document": {"singing": True, "tags": {"warm": {"probability": 0.82}}},
    }

    stage = serializers.ChoiceField(choices=Stage.choices)
    model_version = serializers.CharField()
    created_at = serializers.DateTimeField()
    document = serializers.JSONField()


def revision_rows() -> QuerySet[Revision]:
    """Revisions as stages need them."""
    return Revision.objects.select_related("track", "artist__user")


def report_of_stage(revision: Revision, stage: str) -> Report | None:
    """The result of a stage that pages show too."""
    if stage == Stage.LYRICS:
        return heard_report(revision)
    return selectors.report_of(revision, stage)


def ask(data: dict[str, Any], revisions: list[Revision]) -> list[Job]:
    """Ask for a stage of revisions. Raises Problem."""
    language = data.get("language")
    try:
        return request_stage(
            data["stage"],
            revisions,
            afresh=data.get("afresh", False),
            language="" if language == FIND_OUT else language,
            engine=data.get("engine", engines.AUTO),
        )
    except EngineMissing as error:
        raise Problem("refused", str(error), reason="engine_missing") from error
    except StageUnavailable as error:
        raise Problem("unavailable", str(error), headers={"Retry-After": "600"}) from error


class AnalysesView(ApiView):
    """The stages of one file. POST asks for one: what waits, runs or is done already is left as it
    is, what failed starts again. The answer is the job."""

    tag = "analyses"
    summaries = {"GET": "Read the state of all stages", "POST": "Ask for a stage"}
    costly = frozenset({"POST"})
    repeatable = idempotency.Way.TRANSACTION
    requests: ClassVar[dict[str, Any]] = {"POST": AnalysisIn}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {200: AnalysesOut, 304: None},
        "POST": {202: JobOut},
    }
    problems: ClassVar[dict[str, Any]] = {"POST": (422, 503)}

    def get(self, request: Request, revision_id: Any) -> Response:
        revision = self.caller.get(revision_rows(), revision_id)
        stages = [self._stage(revision, stage) for stage in Stage.values]
        data = {"results": StageOut(stages, many=True, context=self.context()).data}
        return self.conditional(data, conditions.tag_of(data))

    def post(self, request: Request, revision_id: Any) -> Response:
        data = self.read(AnalysisIn)
        revision = self.caller.get(revision_rows(), revision_id, scope=Scope.WRITE)
        (job,) = ask(data, [revision])
        return accepted(job, self.context())

    def _stage(self, revision: Revision, stage: str) -> dict[str, Any]:
        is_lyrics = stage == Stage.LYRICS
        job = lyrics_job(revision) if is_lyrics else selectors.job_of(revision, stage)
        report = report_of_stage(revision, stage)
        address = reverse("api:analysis", args=[revision.pk, stage])
        return {
            "stage": stage,
            "job": job,
            "model_version": report.model_version if report else None,
            "result_at": report.created_at if report else None,
            "result_url": self.request.build_absolute_uri(address) if report else None,
        }


class AnalysisView(Reading):
    """What a stage (listen, separate, voice, lyrics, release) found in a file; 404 until it is
    done."""

    tag = "analyses"
    summaries = {"GET": "Read what a stage found"}
    output = ResultOut
    key = "revision_id"

    def rows(self) -> QuerySet[Revision]:
        return revision_rows()

    def one(self, scope: str) -> Report:
        """The stage's report, if the caller may see the file. Raises Problem."""
        revision = super().one(scope)
        stage = self.kwargs["stage"]
        if stage not in Stage.values:
            raise Problem("not_found", f"The stages are: {', '.join(Stage.values)}.")
        report = report_of_stage(revision, stage)
        if report is None:
            raise Problem("not_found", "There is no result of this stage yet.")
        return report
