"""Files to the server: small ones in one call, large ones in pieces that go on where they were.

Nothing is kept on this side: the key of an upload is made from the file's content and where it
goes, so the same file sent again, also by another process a day later, goes on or ends at the same
revision.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from sonic_vision.errors import ApiError, ConnectionLost, Refused, SonicVisionError
from sonic_vision.models import Upload
from sonic_vision.transport import Transport

IN_ONE_CALL_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 8 * 1024 * 1024
_TUS = {"Tus-Resumable": "1.0.0"}
_MOST_STARTS = 3
_CHECKED_WITHIN_S = 600.0

Progress = Callable[[int, int], None]


class FileChanged(SonicVisionError):
    """The file became another one while it was sent."""


def send_file(
    transport: Transport,
    path: Path,
    *,
    where: Mapping[str, str],
    on_progress: Progress | None = None,
    piece_bytes: int = PIECE_BYTES,
    in_one_call_bytes: int = IN_ONE_CALL_BYTES,
) -> Upload:
    """Send a file; ``where`` are artist, track, album, folder, note. Raises Refused, ApiError."""
    size = path.stat().st_size
    tell = on_progress or (lambda sent, total: None)
    if size <= in_one_call_bytes and "folder" not in where:
        upload = _in_one_call(transport, path, where)
        tell(size, size)
    else:
        upload = _in_pieces(transport, path, size, where, tell, piece_bytes)
    return _checked(transport, upload)


def _in_one_call(transport: Transport, path: Path, where: Mapping[str, str]) -> Upload:
    # Read whole: the connection may break in the middle, and the file may change meanwhile.
    content = path.read_bytes()
    query = f"?{urlencode(where)}" if where else ""
    answer = transport.call(
        "PUT",
        f"uploads/files/{quote(path.name, safe='')}{query}",
        body=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    return Upload.read(answer.json())


def _in_pieces(
    transport: Transport,
    path: Path,
    size: int,
    where: Mapping[str, str],
    tell: Progress,
    piece_bytes: int,
) -> Upload:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for start in range(_MOST_STARTS):
        address = _open(transport, path.name, size, where, f"{digest}-{start}")
        try:
            _send(transport, path, size, address, tell, piece_bytes)
        except ApiError as error:
            # Cancelled, expired, or gone: the old key leads there, so another one is taken.
            if error.status in (404, 410) and start < _MOST_STARTS - 1:
                continue
            raise
        upload_id = address.rstrip("/").rpartition("/")[2]
        return Upload.read(transport.call("GET", f"uploads/{upload_id}/").json())
    raise AssertionError("unreachable")


def _open(transport: Transport, name: str, size: int, where: Mapping[str, str], mark: str) -> str:
    metadata = {"filename": name, **where}
    header = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items()
    )
    key = hashlib.sha256(f"{mark}\n{size}\n{header}".encode()).hexdigest()
    answer = transport.call(
        "POST",
        "uploads/tus/",
        headers={
            **_TUS,
            "Upload-Length": str(size),
            "Upload-Metadata": header,
            "Idempotency-Key": key,
            "Content-Length": "0",
        },
    )
    return answer.headers["Location"]


def _send(
    transport: Transport,
    path: Path,
    size: int,
    address: str,
    tell: Progress,
    piece_bytes: int,
) -> None:
    """All pieces from where the server is; what is lost on the way is asked for and sent again."""
    failures = 0
    offset = _offset(transport, address)
    with path.open("rb") as file:
        while True:
            tell(offset, size)
            if offset >= size:
                return
            file.seek(offset)
            piece = file.read(piece_bytes)
            if not piece:
                raise FileChanged(f"{path} became shorter while it was sent")
            headers = {
                **_TUS,
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
            }
            try:
                answer = transport.call("PATCH", address, body=piece, headers=headers)
                offset, failures = int(answer.headers["Upload-Offset"]), 0
            except (ConnectionLost, ApiError) as error:
                if isinstance(error, Refused) or _is_final(error):
                    raise
                failures += 1
                if failures >= transport.patience.attempts:
                    raise
                transport.patience.pause(failures - 1)
                offset = _offset(transport, address)


def _is_final(error: Exception) -> bool:
    # 409: we were wrong about the offset; 423: our own broken connection still holds it.
    return (
        isinstance(error, ApiError)
        and 400 <= error.status < 500
        and error.status not in (408, 409, 423, 429)
        and error.reason != "broken_off"
    )


def _offset(transport: Transport, address: str) -> int:
    return int(transport.call("HEAD", address, headers=_TUS).headers["Upload-Offset"])


def _checked(transport: Transport, upload: Upload) -> Upload:
    """The upload once it has been checked. Raises Refused."""
    deadline = time.monotonic() + _CHECKED_WITHIN_S
    pause_s = 0.5
    while upload.state in ("receiving", "checking") and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 10.0)
        upload = Upload.read(transport.call("GET", f"uploads/{upload.id}/").json())
    if upload.state in ("refused", "cancelled"):
        document = {"code": "refused", "detail": upload.reason, "reason": upload.state}
        raise Refused(422, document)
    return upload
