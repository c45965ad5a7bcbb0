"""Analyses: asking for stages, reading what they found, similar tracks."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sonic_vision.errors import Refused, TookTooLong
from sonic_vision.models import (
    Heatmap,
    Hit,
    Job,
    Lyrics,
    Result,
    Snippet,
    StageState,
    Stem,
)
from sonic_vision.transport import Transport

_AT_ONCE = 1_000


class Analyses:
    """Methods of :class:`sonic_vision.Client`; ``revision`` is the id of a file."""

    transport: Transport

    def get(self, path: str, **query: Any) -> Any:
        """As the client's."""
        raise NotImplementedError

    def get_bytes(self, path: str, **query: Any) -> bytes:
        """As the client's."""
        raise NotImplementedError

    def post(self, path: str, document: Any = None, *, key: str | None = None) -> Any:
        """As the client's."""
        raise NotImplementedError

    # --- Stages -----------------------------------------------------------------------------------

    def request(self, revision: str, stage: str, **options: Any) -> Job:
        """Ask for a stage (listen, separate, voice, lyrics, release) of a file; ``afresh=True``,
        ``language=``, ``engine=``. Asking again changes nothing."""
        return Job.read(self.post(f"revisions/{revision}/analyses/", {"stage": stage, **options}))

    def request_many(
        self, revisions: Iterable[str], stage: str, **options: Any
    ) -> Iterator[Job | Mapping[str, Any]]:
        """The same for many files, a thousand in a call: for each, in order, a job or a problem."""
        ids = list(revisions)
        for first in range(0, len(ids), _AT_ONCE):
            items = [
                {"revision": each, "stage": stage, **options}
                for each in ids[first : first + _AT_ONCE]
            ]
            for row in self.post("analyses/bulk/", {"items": items})["results"]:
                yield row["problem"] if row["job"] is None else Job.read(row["job"])

    def stages(self, revision: str) -> list[StageState]:
        """How far all stages of a file are."""
        found = self.get(f"revisions/{revision}/analyses/")
        return [StageState.read(row) for row in found["results"]]

    def result(self, revision: str, stage: str) -> Result:
        """What a stage found."""
        return Result.read(self.get(f"revisions/{revision}/analyses/{stage}/"))

    # --- What was found ---------------------------------------------------------------------------

    def part(self, revision: str, name: str, **query: Any) -> Mapping[str, Any]:
        """A part of the report: genre, features, loudness, or mix (``target="jazz"``)."""
        found: Mapping[str, Any] = self.get(f"revisions/{revision}/report/{name}/", **query)
        return found

    def heatmap(self, revision: str, *, place: int = 1, columns: int = 512) -> Heatmap:
        """Where the likeliest genre (or the second, the third) was heard, as numbers."""
        path = f"revisions/{revision}/report/heatmap/"
        return Heatmap.read(self.get(path, place=place, columns=columns))

    def heatmap_png(self, revision: str, *, place: int = 1) -> bytes:
        """The same as a picture to lay over the spectrogram."""
        return self.get_bytes(f"revisions/{revision}/report/heatmap/picture/", place=place)

    def stems(self, revision: str) -> list[Stem]:
        """Stems of all engines, the newest engine's first; ``get_bytes(stem.url)`` is the FLAC."""
        found = self.get(f"revisions/{revision}/stems/")["results"]
        return [
            Stem.read({**stem, "engine": made["engine"]})
            for made in found
            for stem in made["stems"]
        ]

    def lyrics(self, revision: str) -> Lyrics:
        """The lyrics that count."""
        return Lyrics.read(self.get(f"revisions/{revision}/lyrics/"))

    def lyrics_file(self, revision: str, kind: str = "lrc") -> str:
        """Lyrics as lrc, enhanced-lrc, srt, vtt or txt."""
        return self.get_bytes(f"revisions/{revision}/lyrics/files/{kind}/").decode()

    def align_lyrics(self, revision: str, text: str, *, language: str | None = None) -> Job:
        """Have the artist's own text timed to the voice."""
        document = {"text": text, **({} if language is None else {"language": language})}
        return Job.read(self.post(f"revisions/{revision}/lyrics/align/", document))

    def timbre(self, revision: str) -> Mapping[str, Any]:
        """What the voice is like."""
        found: Mapping[str, Any] = self.get(f"revisions/{revision}/timbre/")
        return found

    # --- Similar tracks ---------------------------------------------------------------------------

    def similar(self, track: str, **filters: Any) -> list[Hit]:
        """Tracks like one; ``genre=``, ``tempo_from=``, ``key=``, ``per_artist=``, ``limit=``, …"""
        found = self.get(f"tracks/{track}/similar/", **filters)
        return [Hit.read(row) for row in found["results"]]

    def similar_to_file(
        self, path: str | os.PathLike[str], *, timeout_s: float = 120.0, **filters: Any
    ) -> list[Hit]:
        """Tracks like a file, which is only lent. Raises Refused, TookTooLong."""
        snippet = self._lend(Path(path))
        until = time.monotonic() + timeout_s
        while snippet.state not in ("done", "failed", "cancelled"):
            if time.monotonic() > until:
                raise TookTooLong(f"snippet {snippet.id} is {snippet.state}")
            time.sleep(1.0)
            snippet = Snippet.read(self.get(f"snippets/{snippet.id}/"))
        if snippet.state != "done":
            raise Refused(422, {"code": "refused", "detail": snippet.reason})
        found = self.get(snippet.similar_url, **filters)
        return [Hit.read(row) for row in found["results"]]

    def _lend(self, path: Path) -> Snippet:
        boundary = uuid.uuid4().hex
        name = "".join(c if c.isprintable() and c not in '\\"' else "_" for c in path.name)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Idempotency-Key": uuid.uuid4().hex,
        }
        answer = self.transport.call("POST", "snippets/", body=body, headers=headers)
        return Snippet.read(answer.json())
