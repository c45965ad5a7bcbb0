"""Jobs: long work on a file, and how far it is."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.response import Response

from analysis.api.filters import Filter, a_moment, a_number, a_uuid
from analysis.api.resources import Listing, Reading
from analysis.api.serializing import Output
from analysis.models import Job, JobState, Stage


class JobOut(Output):
    """One stage of one file. Ask again every few seconds until `state` is `done`, `failed` or
    `cancelled`."""

    example: ClassVar[dict[str, Any]] = {
        "id": "0e7c7d62-30b7-4ea6-9b0c-2a4c3e9b7f10",
        "artist": 17,
        "track": "c0a80101-7b1f-4f0e-9f3e-2f8f5b8a6d01",
        "revision": "5e5b7cf8-0dd4-4b35-8a4d-8d3a6f3b7c20",
        "stage": "listen",
        "state": "running",
        "percent": 40,
        "message": "Measuring loudness",
        "attempts": 1,
        "reason_code": "",
        "reason": "",
        "url": "https://music.example.org/api/v1/jobs/0e7c7d62-30b7-4ea6-9b0c-2a4c3e9b7f10/",
        "queued_at": "2026-02-01T10:00:00Z",
        "started_at": "2026-02-01T10:00:03Z",
        "finished_at": None,
    }

    id = serializers.UUIDField()
    artist = serializers.IntegerField(source="artist_id")
    track = serializers.UUIDField(source="revision.track_id")
    revision = serializers.UUIDField(source="revision_id")
    stage = serializers.ChoiceField(choices=Stage.choices)
    state = serializers.ChoiceField(choices=JobState.choices)
    percent = serializers.IntegerField()
    message = serializers.CharField(help_text="What it is doing, for people.")
    attempts = serializers.IntegerField()
    reason_code = serializers.CharField(help_text="Why it failed; stable.")
    reason = serializers.CharField(help_text="Why it failed, for people.")
    url = serializers.SerializerMethodField()
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_url(self, job: Job) -> str:
        address = reverse("api:job", args=[job.pk])
        return self.context["request"].build_absolute_uri(address)


def accepted(job: Job, context: dict[str, Any]) -> Response:
    """The answer to a call that asked for a job."""
    address = reverse("api:job", args=[job.pk])
    return Response(JobOut(job, context=context).data, status=202, headers={"Location": address})


class _Jobs:
    output = JobOut
    tag = "jobs"

    def rows(self) -> QuerySet[Job]:
        return Job.objects.select_related("revision")


class JobsView(_Jobs, Listing):
    """Work on files of the artists you work with, the newest first."""

    summaries = {"GET": "List jobs"}
    newest_by = "queued_at"
    filters = (
        Filter("artist", "artist_id", a_number, "Jobs of this artist."),
        Filter("track", "revision__track_id", a_uuid, "Jobs of this track."),
        Filter("revision", "revision_id", a_uuid, "Jobs of this file."),
        Filter("stage", "stage", help="Jobs of this stage.", choices=Stage.values),
        Filter("state", "state", help="Jobs in this state.", choices=JobState.values),
        Filter("queued_from", "queued_at__gte", a_moment, "Asked for then or later."),
    )


class JobView(_Jobs, Reading):
    """One job and how far it is."""

    summaries = {"GET": "Read a job"}
    key = "job_id"
