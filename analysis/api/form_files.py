"""A file sent as a form, streamed to disk while it arrives."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest, HttpResponseBase, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework.request import Request

from analysis.api.parsers import AnyBytesParser
from analysis.api.problems import Problem
from analysis.api.resources import ApiView
from catalog.form_uploads import SpoolingUploadHandler


class TakesForm(ApiView):
    """POST takes multipart/form-data with one file in the field ``file``, and ``known_fields``."""

    parser_classes = (AnyBytesParser,)
    known_fields: ClassVar[frozenset[str]] = frozenset()
    handler: SpoolingUploadHandler

    def room_bytes(self) -> int:
        """Larger files are not taken."""
        return int(settings.UPLOAD_MAX_BYTES)

    def refuse_large(self, size_bytes: int) -> Problem:
        """What is said of a file that is too large."""
        raise NotImplementedError

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Before anything reads the body: the page's log-in looks for its token in it.
        self.handler = SpoolingUploadHandler(request, room_bytes=self.room_bytes())
        if request.method == "POST":
            request.upload_handlers = [self.handler]
        return super().dispatch(request, *args, **kwargs)

    def body_for_fingerprint(self, request: Request) -> bytes:
        file, named = self.form(request)
        digest = hashlib.file_digest(file.file, "sha256").hexdigest()  # type: ignore[arg-type]
        file.seek(0)
        return repr((digest, file.name, sorted(named.items()))).encode()

    def form(self, request: Request) -> tuple[TemporaryUploadedFile, dict[str, str]]:
        """The file, and the fields beside it. Raises Problem."""
        inner = request._request
        if inner.content_type != "multipart/form-data":
            raise Problem("unsupported_media_type", "Send multipart/form-data.")
        try:
            fields, files = inner.POST, inner.FILES
        except (MultiPartParserError, UnreadablePostError) as error:
            raise Problem("malformed", "The form could not be read to its end.") from error
        named = {name: fields.get(name, "") for name in fields}
        unknown = sorted({*named, *files} - self.known_fields - {"file", "csrfmiddlewaretoken"})
        if unknown:
            raise Problem("invalid", f"“{unknown[0][:60]}” is not known here.")
        skipped = [*self.handler.too_large, *self.handler.without_room]
        if skipped:
            raise self.refuse_large(skipped[0][1])
        given = files.getlist("file")
        if len(given) != 1:
            raise Problem("invalid", "Send one file, in the field “file”.")
        return given[0], named
