"""Files of a plain form, streamed to disk while they arrive and never whole in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

FORM_FILE_SUFFIX = ".form"


class SpooledFormFile(TemporaryUploadedFile):
    """A file of a form, written where uploads are kept, so that taking it in is only a rename."""

    def __init__(self, name: str, content_type: str | None, size: int, charset: str | None) -> None:
        folder = Path(settings.UPLOAD_DIR)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = tempfile.NamedTemporaryFile(suffix=FORM_FILE_SUFFIX, dir=folder)  # noqa: SIM115
        UploadedFile.__init__(self, file, name, content_type, size, charset)


class SpoolingUploadHandler(FileUploadHandler):
    """Writes each file to disk; a file that grows too large is skipped, the others are kept.

    ``skipped`` holds (name, bytes read before it was given up).
    """

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.skipped: list[tuple[str, int]] = []
        self.file: SpooledFormFile

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = SpooledFormFile(self.file_name or "", self.content_type, 0, self.charset)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > settings.UPLOAD_MAX_BYTES:
            self.skipped.append((self.file_name or "", start + len(raw_data)))
            self.file.close()
            raise SkipFile
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> SpooledFormFile:
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
