"""Sending a stored file so that players can seek: single byte ranges, validators, HEAD.

Django's FileResponse knows no ranges. This is RFC 9110 sections 13 and 14 for one range; a request
for several ranges is answered with the whole file, as the standard allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header, http_date, parse_http_date_safe

PIECE_BYTES = 256 * 1024

_RANGE = re.compile(r"^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$", re.ASCII | re.IGNORECASE)


class RangeNotSatisfiable(Exception):
    """The range lies outside the file (HTTP 416)."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte (inclusive) of a ``Range`` header for a file of ``size`` bytes.

    None where the header is to be ignored: another unit, bad syntax, several ranges.
    Raises :class:`RangeNotSatisfiable`.
    """
    match = _RANGE.match(header)
    if match is None or max(len(match[1]), len(match[2])) > 20:
        return None
    if not match[1]:
        if not match[2]:
            return None
        suffix = int(match[2])
        if suffix == 0 or size == 0:
            raise RangeNotSatisfiable
        return max(0, size - suffix), size - 1
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiable
    return first, min(last, size - 1)


def ranged_response(
    request: HttpRequest,
    *,
    storage: Storage,
    name: str,
    content_type: str,
    etag: str,
    last_modified: datetime | None = None,
    download_name: str = "",
    cache_control: str = "private, no-cache",
) -> HttpResponseBase:
    """The answer to a GET or HEAD for the stored file ``name``.

    Parameters
    ----------
    etag : changes with the content; given without quotes.
    last_modified : asked of the storage when None.
    download_name : when set, the browser saves the file under this name instead of showing it.

    Raises
    ------
    Http404
        If the storage does not hold the file.
    """
    try:
        size = storage.size(name)
        modified = last_modified or storage.get_modified_time(name)
    except OSError as error:
        raise Http404("The file is not there.") from error
    tag = f'"{etag}"'
    response = _answer(request, storage, name, size, tag, modified)
    if response.status_code in {200, 206}:
        response["Content-Type"] = content_type
    response["ETag"] = tag
    response["Last-Modified"] = http_date(modified.timestamp())
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = cache_control
    response["X-Content-Type-Options"] = "nosniff"
    if download_name:
        header = content_disposition_header(True, download_name)
        if header:
            response["Content-Disposition"] = header
    return response


def _answer(
    request: HttpRequest, storage: Storage, name: str, size: int, tag: str, modified: datetime
) -> HttpResponseBase:
    if _not_modified(request, tag, modified):
        return HttpResponse(status=304)
    if settings.MEDIA_ACCEL_PREFIX and isinstance(storage, FileSystemStorage):
        # nginx answers ranges itself, from its own internal location.
        response = HttpResponse()
        response["X-Accel-Redirect"] = settings.MEDIA_ACCEL_PREFIX.rstrip("/") + "/" + quote(name)
        return response
    wanted = None
    # RFC 9110 14.2: ranges are defined for GET alone.
    if (
        request.method == "GET"
        and "Range" in request.headers
        and _range_valid(request, tag, modified)
    ):
        try:
            wanted = parse_range(request.headers["Range"], size)
        except RangeNotSatisfiable:
            response = HttpResponse(status=416)
            response["Content-Range"] = f"bytes */{size}"
            return response
    first, last = wanted or (0, size - 1)
    length = last - first + 1
    if request.method == "HEAD":
        head = HttpResponse()
        head["Content-Length"] = str(length)
        return head
    body = StreamingHttpResponse(
        pieces(storage, name, first=first, length=length), status=206 if wanted else 200
    )
    body["Content-Length"] = str(length)
    if wanted:
        body["Content-Range"] = f"bytes {first}-{last}/{size}"
    return body


def _not_modified(request: HttpRequest, tag: str, modified: datetime) -> bool:
    if_none_match = request.headers.get("If-None-Match")
    if if_none_match is not None:
        tags = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
        return "*" in tags or tag in tags
    since = parse_http_date_safe(request.headers.get("If-Modified-Since", ""))
    return since is not None and int(modified.timestamp()) <= since


def _range_valid(request: HttpRequest, tag: str, modified: datetime) -> bool:
    """Whether ``If-Range`` (absent: yes) still names the present content."""
    condition = request.headers.get("If-Range", "").strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == tag
    date = parse_http_date_safe(condition)
    return date is not None and datetime.fromtimestamp(date, UTC) == modified.astimezone(
        UTC
    ).replace(microsecond=0)


def pieces(storage: Storage, name: str, *, first: int, length: int) -> Iterator[bytes]:
    """``length`` bytes of a stored file from byte ``first`` on, in pieces of 256 KB."""
    bucket = getattr(storage, "bucket", None)
    if bucket is not None:
        yield from _pieces_of_s3(storage, bucket, name, first, length)
        return
    with storage.open(name, "rb") as file:
        file.seek(first)
        while length > 0:
            piece = file.read(min(PIECE_BYTES, length))
            if not piece:
                return
            length -= len(piece)
            yield piece


def _pieces_of_s3(
    storage: Storage, bucket: object, name: str, first: int, length: int
) -> Iterator[bytes]:
    """django-storages would fetch the whole object before the first seek; S3 knows ranges."""
    if length <= 0:
        return
    key = storage._normalize_name(name)  # type: ignore[attr-defined]
    answer = bucket.Object(key).get(Range=f"bytes={first}-{first + length - 1}")  # type: ignore[attr-defined]
    with closing(answer["Body"]) as body:  # its own context manager gives the bare stream
        yield from body.iter_chunks(PIECE_BYTES)
