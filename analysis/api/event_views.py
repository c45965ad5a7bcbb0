"""Progress as server-sent events: of one job, and of all jobs of a track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from analysis.api import streams
from analysis.api.authentication import principal_of
from analysis.api.filters import Filter, a_uuid
from analysis.api.jobs import JobOut
from analysis.api.principals import Principal
from analysis.api.problems import Problem
from analysis.api.resources import ApiView
from analysis.models import Job, JobState
from catalog.models import Track

_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
MOST_JOBS = 200


class EventStreamRenderer(JSONRenderer):
    """Lets a caller ask for an event stream; what goes wrong before it begins is JSON."""

    media_type = streams.CONTENT_TYPE
    format = "events"


class _Events(ApiView):
    tag = "jobs"
    renderer_classes = (EventStreamRenderer, JSONRenderer)
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, streams.CONTENT_TYPE): OpenApiTypes.STR, 204: None}
    }
    problems: ClassVar[dict[str, Any]] = {"GET": (503,)}

    def documents(self, principal: Principal) -> list[dict[str, Any]]:
        """What there is to tell now. Raises Problem if it may not be told."""
        raise NotImplementedError

    def is_over(self, documents: Sequence[dict[str, Any]]) -> bool:
        """Whether nothing can follow any more."""
        raise NotImplementedError

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        documents = self.documents(self.caller)
        last = request.headers.get("Last-Event-ID", "")[:64]
        if self.is_over(documents) and last == streams.mark_of(documents):
            # To a browser's EventSource this says: do not come back.
            return HttpResponse(status=204)
        if request.method == "HEAD":
            return HttpResponse(content_type=streams.CONTENT_TYPE)
        holder = [self.caller]

        def check() -> None:
            holder[0] = self._caller_now()

        stream = streams.Stream(
            self.caller.rate_key,
            lambda: self.documents(holder[0]),
            checked=check,
            is_over=self.is_over,
            last_mark=last,
        )
        return streams.respond(stream)

    def _caller_now(self) -> Principal:
        """Who calls, asked anew: a token or a grant may have been revoked meanwhile."""
        for authenticator in self.get_authenticators():
            try:
                found = authenticator.authenticate(self.request)
            except APIException as error:
                raise Problem("not_authenticated") from error
            if found is None:
                continue
            self.request.user, self.request.auth = found
            principal = principal_of(self.request)
            if (
                principal is None
                or not type(principal.user)
                .objects.filter(pk=principal.user.pk, is_active=True)
                .exists()
            ):
                break
            if self.scope_of("GET") not in principal.scopes:
                break
            return principal
        raise Problem("not_authenticated")

    def written(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Jobs as the list of jobs writes them."""
        return [dict(JobOut(job, context=self.context()).data) for job in jobs]


class JobEventsView(_Events):
    """Follow one job: an event `job` whenever it gets on, until it is over. The stream ends after
    half a minute; come back with Last-Event-ID (browsers do so by themselves)."""

    summaries = {"GET": "Follow a job"}

    def documents(self, principal: Principal) -> list[dict[str, Any]]:
        job_id: UUID = self.kwargs["job_id"]
        rows = Job.objects.select_related("revision")
        return self.written([principal.get(rows, job_id)])

    def is_over(self, documents: Sequence[dict[str, Any]]) -> bool:
        return documents[0]["state"] in _OVER


class TrackEventsView(_Events):
    """Follow all jobs of a track: an event `job` for each that gets on or is added. The stream
    ends after half a minute; come back with Last-Event-ID (browsers do so by themselves)."""

    summaries = {"GET": "Follow a track"}
    problems: ClassVar[dict[str, Any]] = {"GET": (404, 503)}
    parameters = {"GET": (Filter("track", "", a_uuid, "The track to follow; always needed."),)}

    def documents(self, principal: Principal) -> list[dict[str, Any]]:
        text = self.request.query_params.get("track", "")
        try:
            track_id = a_uuid(text)
        except ValueError as error:
            raise Problem("invalid_parameter", "track is an id, and needed here.") from error
        track = principal.get(Track.objects.all(), track_id)
        rows = Job.objects.select_related("revision").filter(revision__track=track)
        return self.written(list(rows.order_by("-queued_at", "-pk")[:MOST_JOBS]))

    def is_over(self, documents: Sequence[dict[str, Any]]) -> bool:
        return False
