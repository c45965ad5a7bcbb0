"""The client: one object, one method for each thing there is to do."""

from __future__ import annotations

import json
import os
import ssl
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from sonic_vision import uploading
from sonic_vision.analyses import Analyses
from sonic_vision.errors import WorkFailed
from sonic_vision.events import Follower
from sonic_vision.models import (
    SHORT_REPORT,
    Album,
    Artist,
    Job,
    Playlist,
    Report,
    Resource,
    Revision,
    Track,
    Upload,
    Webhook,
)
from sonic_vision.playlists import Playlists
from sonic_vision.transport import Patience, Transport

R = TypeVar("R", bound=Resource)
_DAY_S = 24 * 3_600.0


class Client(Analyses, Playlists):
    """The API of one server, with one token.

    ``base_url`` and ``token`` default to the variables ``SONIC_VISION_URL`` and
    ``SONIC_VISION_TOKEN``. Every method may raise ApiError (an answer other than success) and
    ConnectionLost. Calls that create carry an Idempotency-Key, so that trying again after a lost
    connection never makes two. Not for several threads at once: give each its own.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | None = None,
        *,
        timeout_s: float = 60.0,
        patience: Patience | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        address = base_url or os.environ.get("SONIC_VISION_URL", "")
        secret = token or os.environ.get("SONIC_VISION_TOKEN", "")
        if not address or not secret:
            raise ValueError("give base_url and token, or set SONIC_VISION_URL, SONIC_VISION_TOKEN")
        self.transport = Transport(
            address, secret, timeout_s=timeout_s, patience=patience, context=context
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()

    # --- Any address ------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        """The document at a path below ``/api/v1/``, or at an address that the server gave."""
        return self.transport.call("GET", _with_query(path, query)).json()

    def get_bytes(self, path: str, **query: Any) -> bytes:
        """What is at an address, as it is: a picture, a stem."""
        headers = {"Accept": "*/*"}
        return self.transport.call("GET", _with_query(path, query), headers=headers).body

    def post(self, path: str, document: Any = None, *, key: str | None = None) -> Any:
        """Create something, or start something. ``key`` is the Idempotency-Key: the same key means
        the same call; without one a fresh one is made for this call and its repetitions."""
        return self._write("POST", path, document, {"Idempotency-Key": key or uuid.uuid4().hex})

    def put(self, path: str, document: Any) -> Any:
        """Replace something as a whole. Twice is as good as once, so it is tried again."""
        return self._write("PUT", path, document, {})

    def patch(self, path: str, document: Any) -> Any:
        """Change something. Tried again only if the server turned it away before it began."""
        return self._write("PATCH", path, document, {})

    def delete(self, path: str) -> None:
        """Delete something."""
        self.transport.call("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        """All rows of a list, page after page."""
        address: str | None = _with_query(path, query)
        while address is not None:
            page = self.transport.call("GET", address).json()
            yield from page["results"]
            address = page["next"]

    # --- What there is ----------------------------------------------------------------------------

    def me(self) -> Mapping[str, Any]:
        """Who this token is, and what it may."""
        found: Mapping[str, Any] = self.get("me/")
        return found

    def artists(self, **filters: Any) -> Iterator[Artist]:
        """Artists whose music you may work with."""
        return self._all(Artist, "artists/", filters)

    def albums(self, **filters: Any) -> Iterator[Album]:
        """Albums; ``artist=``, ``title=``, …"""
        return self._all(Album, "albums/", filters)

    def tracks(self, **filters: Any) -> Iterator[Track]:
        """Tracks; ``artist=``, ``album=``, …"""
        return self._all(Track, "tracks/", filters)

    def revisions(self, **filters: Any) -> Iterator[Revision]:
        """Files of tracks; ``track=``, …"""
        return self._all(Revision, "revisions/", filters)

    def uploads(self, **filters: Any) -> Iterator[Upload]:
        """Files that were sent; ``artist=``, ``state=``, …"""
        return self._all(Upload, "uploads/", filters)

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """Work; ``track=``, ``revision=``, ``stage=``, ``state=``, …"""
        return self._all(Job, "jobs/", filters)

    def playlists(self, **filters: Any) -> Iterator[Playlist]:
        """Playlists; ``artist=``, ``name=``, …"""
        return self._all(Playlist, "playlists/", filters)

    def track(self, track_id: str) -> Track:
        """One track."""
        return Track.read(self.get(f"tracks/{track_id}/"))

    def job(self, job_id: str) -> Job:
        """One job."""
        return Job.read(self.get(f"jobs/{job_id}/"))

    def report(self, revision_id: str, *, whole: bool = True) -> Report:
        """What listening to a file found; without its document if not ``whole``."""
        fields = None if whole else ",".join(SHORT_REPORT)
        return Report.read(self.get(f"revisions/{revision_id}/report/", fields=fields))

    # --- Sending and waiting ----------------------------------------------------------------------

    def upload(
        self,
        path: str | os.PathLike[str],
        *,
        artist: int | None = None,
        track: str | None = None,
        album: str | None = None,
        note: str | None = None,
        on_progress: uploading.Progress | None = None,
    ) -> Upload:
        """Send a file as a new track, or as a new version of ``track``.

        Goes on where it was after any interruption, also by a later call: the same file ends at
        the same revision. ``on_progress`` gets bytes sent and bytes in all. Raises Refused for a
        file that cannot be taken.
        """
        given = {"artist": artist, "track": track, "album": album, "note": note}
        where = {name: str(value) for name, value in given.items() if value is not None}
        return uploading.send_file(self.transport, Path(path), where=where, on_progress=on_progress)

    def wait_for(
        self,
        work: Job | Upload | str,
        *,
        timeout_s: float = _DAY_S,
        on_progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """Wait until a job is done (of an upload: until it has been listened to).

        Follows the server's events, and asks now and then where they do not come through. Raises
        WorkFailed, TookTooLong.
        """
        if isinstance(work, Upload):
            job_id = work.job or self._listening_of(work)
        else:
            job_id = work if isinstance(work, str) else work.id
        job = Follower(self.transport, job_id, on_progress=on_progress).wait(timeout_s)
        if job.state != "done":
            raise WorkFailed(job)
        return job

    # --- Webhooks ---------------------------------------------------------------------------------

    def webhooks(self) -> Iterator[Webhook]:
        """Your webhooks."""
        return self._all(Webhook, "webhooks/", {})

    def create_webhook(self, url: str, events: Iterable[str], *, description: str = "") -> Webhook:
        """A new webhook; keep its ``secret``, it is told once."""
        document = {"url": url, "events": list(events), "description": description}
        return Webhook.read(self.post("webhooks/", document))

    def rotate_webhook(self, webhook_id: str, *, overlap_hours: int = 24) -> Webhook:
        """A new secret; the one before signs beside it for the overlap."""
        document = {"overlap_hours": overlap_hours}
        return Webhook.read(self.post(f"webhooks/{webhook_id}/rotate/", document))

    def ping_webhook(self, webhook_id: str) -> None:
        """Have a test sent."""
        self.post(f"webhooks/{webhook_id}/ping/", {})

    # --- Inside -----------------------------------------------------------------------------------

    def _all(self, kind: type[R], path: str, filters: Mapping[str, Any]) -> Iterator[R]:
        for row in self.pages(path, **filters):
            yield kind.read(row)

    def _listening_of(self, upload: Upload) -> str:
        job = next(self.jobs(revision=upload.revision, stage="listen"), None)
        if job is None:
            raise ValueError(f"nothing listens to upload {upload.id} ({upload.state})")
        return job.id

    def _write(self, method: str, path: str, document: Any, headers: Mapping[str, str]) -> Any:
        body = b"" if document is None else json.dumps(document).encode()
        named = {"Content-Type": "application/json", **headers}
        return self.transport.call(method, path, body=body, headers=named).json()


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    given = {name: _text(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
