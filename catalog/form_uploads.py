"""Files of plain forms, streamed to disk while they arrive, and never more than can be taken."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    SkipFile,
    TemporaryFileUploadHandler,
)
from django.http import HttpRequest

from catalog.pictures import MAX_PICTURE_BYTES

FORM_FILE_SUFFIX = ".form"


class SpooledFormFile(TemporaryUploadedFile):
    """A file of a form, written where uploads are kept, so that taking it in is only a rename."""

    def __init__(self, name: str, content_type: str | None, size: int, charset: str | None) -> None:
        folder = Path(settings.UPLOAD_DIR)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = tempfile.NamedTemporaryFile(suffix=FORM_FILE_SUFFIX, dir=folder)  # noqa: SIM115
        UploadedFile.__init__(self, file, name, content_type, size, charset)


class SpoolingUploadHandler(FileUploadHandler):
    """Writes each file to disk; a file that grows too large, or for which ``room_bytes`` do not
    suffice, is skipped, the others are kept.

    ``too_large`` and ``without_room`` hold (name, bytes read before it was given up).
    """

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest | None = None, *, room_bytes: int) -> None:
        super().__init__(request)
        self.too_large: list[tuple[str, int]] = []
        self.without_room: list[tuple[str, int]] = []
        self.file: SpooledFormFile
        self._room_bytes = room_bytes

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = SpooledFormFile(self.file_name or "", self.content_type, 0, self.charset)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        size_bytes = start + len(raw_data)
        if size_bytes > settings.UPLOAD_MAX_BYTES:
            self._skip(self.too_large, size_bytes)
        if size_bytes > self._room_bytes:
            self._skip(self.without_room, size_bytes)
        self.file.write(raw_data)

    def _skip(self, skipped: list[tuple[str, int]], size_bytes: int) -> NoReturn:
        skipped.append((self.file_name or "", size_bytes))
        self.file.close()
        raise SkipFile

    def file_complete(self, file_size: int) -> SpooledFormFile:
        self._room_bytes -= file_size
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


class PictureUploadHandler(TemporaryFileUploadHandler):
    """Files of all other forms, which are pictures: of one that is too large only so much is kept
    that it will be refused as too large. The limit holds before anybody is known to be logged in.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        super().receive_data_chunk(raw_data[: max(0, MAX_PICTURE_BYTES + 1 - start)], start)
