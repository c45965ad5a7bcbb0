"""A piece of sound to search with: received, heard in a worker, kept for an hour.

Only its place in the similarity space is kept, and nobody but who uploaded it can start from it.
"""

from __future__ import annotations

import tempfile
import uuid
from typing import IO

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from analysis import background
from analysis.discovery.models import Snippet
from analysis.heart import Heart
from analysis.sound import decode
from analysis.stem_files import local_file
from analysis.versions import listen_version
from catalog.models import User

MOST_BYTES = 60 * 1024 * 1024
MOST_SECONDS = 600.0
MOST_AT_ONCE = 20
"""Of one account, within the hour that they are kept."""

_FOLDER = "snippets"
_BLOCK = 1 << 18


class SnippetRefused(Exception):
    """The sound cannot be used to search with; the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def receive(file: IO[bytes], *, name: str, by: User) -> Snippet:
    """Keep an uploaded snippet and have it heard; returns the work that hears it.

    Its beginning is decoded first, whatever the name says. Raises SnippetRefused.
    """
    if recent(by) >= MOST_AT_ONCE:
        raise SnippetRefused(
            "too_many", f"{MOST_AT_ONCE} snippets an hour can be searched with. Try again later."
        )
    with tempfile.NamedTemporaryFile(prefix="svp-snippet-") as copy:
        while block := file.read(_BLOCK):
            copy.write(block)
            if copy.tell() > MOST_BYTES:
                raise SnippetRefused(
                    "too_large", f"A snippet is at most {MOST_BYTES >> 20} MB large."
                )
        copy.flush()
        try:
            info = decode.probe(copy.name, max_duration_s=MOST_SECONDS)
        except decode.UndecodableAudio as error:
            raise SnippetRefused(error.code, error.message) from error
        snippet = Snippet(
            original_name=name.replace("\0", "").strip()[:300] or "snippet",
            duration_s=info.duration_s,
            created_by=by,
        )
        copy.seek(0)
        snippet.file = default_storage.save(f"{_FOLDER}/{uuid.uuid4().hex}", File(copy))
    snippet.full_clean()
    with transaction.atomic():
        snippet.save()
        background.start(snippet)
    return snippet


def recent(by: User) -> int:
    """How many snippets of an account are kept at the moment."""
    return Snippet.objects.filter(created_by=by, expires_at__gt=timezone.now()).count()


def hear(snippet: Snippet, heart: Heart) -> None:
    """Do a claimed snippet: its place in the space of today's version, and nothing else.

    Raises background.Refused for sound that cannot be used.
    """
    # Imported here because they load the networks' libraries, which the web process never needs.
    from analysis.neural.ears import load_ears
    from analysis.sound.mel import log_mel
    from analysis.sound.mono import mono_of_file

    version = listen_version()
    heart.progress(0.1, "Listening")
    try:
        with local_file(snippet.file) as path:
            mono = mono_of_file(path, max_duration_s=MOST_SECONDS)
    except decode.UndecodableAudio as error:
        _delete_file(snippet.file)
        raise background.Refused(error.code, error.message) from error
    except FileNotFoundError as error:
        raise background.Refused("file_missing", "The snippet is gone. Upload it again.") from error
    ears = load_ears()
    vector = ears.predict(log_mel(mono), tagged=ears.tag(mono)).embedding
    heart.check()
    with transaction.atomic():
        background.finish(snippet)
        Snippet.objects.filter(pk=snippet.pk).update(
            vector=vector.tolist(), model_version=version, file=""
        )
    _delete_file(snippet.file)


def drop_expired() -> int:
    """Delete snippets that are older than an hour; returns how many."""
    expired = list(Snippet.objects.filter(expires_at__lte=timezone.now()))
    for snippet in expired:
        _delete_file(snippet.file)
        snippet.delete()
    return len(expired)


def _delete_file(name: str) -> None:
    if name:
        default_storage.delete(name)


def connect() -> None:
    """Enter the work; called once when the app is ready."""
    background.register(Snippet, hear)
