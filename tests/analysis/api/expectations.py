"""What every call answers to everybody: the permission matrix, by name of address and method.

A row is (anonymous, other artist, partner without grant, partner with grant to read, to read and
write, to read and hear, owner, staff). 200 stands for any 2xx. An address or method that has no row
here fails the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.analysis.api.analysed import LINE
from tests.analysis.discovery.catalogue import at, heard

ROLES = (
    "anonymous",
    "other artist",
    "partner without grant",
    "partner: read",
    "partner: read, write",
    "partner: read, audio",
    "owner",
    "staff",
)
OK = 200

EVERYBODY = (OK,) * 8
KNOWN = (401, *(OK,) * 7)
SEEN = (401, 404, 404, OK, OK, OK, OK, OK)
WRITTEN = (401, 404, 404, 403, OK, 403, OK, OK)
HEARD = (401, 404, 404, 403, 403, OK, OK, OK)
# A search begins at what the account finds itself; superusers are no exception.
FOUND = (401, 404, 404, OK, OK, OK, OK, 404)
PRIVATE = (401, 404, 404, 404, 404, 404, OK, 404)
# Naming somebody's artist in a body: not known to those who may not see her.
NAMED = (401, 400, 400, 403, OK, 403, OK, OK)


@dataclass(frozen=True)
class Call:
    """How to make a call in the world of the tests, and what it answers to whom."""

    answers: tuple[int, ...]
    body: Callable[[Any], Any] = lambda world: None
    format: str = "json"
    headers: Callable[[Any], dict[str, str]] = field(default=lambda world: {})
    query: Callable[[Any], str] = lambda world: ""


def _wav(world: Any) -> Any:
    from io import BytesIO

    file = BytesIO(b"RIFF not really a sound")
    file.name = "song.wav"
    return {"file": file, "artist": str(world.artist.pk)}


def _lent(world: Any) -> Any:
    return {"file": _wav(world)["file"]}


def _tus_metadata(world: Any) -> dict[str, str]:
    import base64

    artist = base64.b64encode(str(world.artist.pk).encode()).decode()
    return {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "10",
        "Upload-Metadata": f"artist {artist}",
    }


def _tus(world: Any) -> dict[str, str]:
    return {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}


def _tracks(world: Any) -> dict[str, Any]:
    return {"tracks": [str(world.track.pk)]}


def _way(world: Any) -> dict[str, Any]:
    end = heard(world.artist, at(60), title="Quay")
    return {"artist": world.artist.pk, "start": str(world.track.pk), "end": str(end.pk)}


# The file of the form is no sound: whoever may send it is told so (422).
_SENT = (401, 400, 400, 403, 422, 403, 422, 422)

CALLS: dict[tuple[str, str], Call] = {
    ("index", "GET"): Call(EVERYBODY),
    ("openapi", "GET"): Call(EVERYBODY),
    ("me", "GET"): Call(KNOWN),
    ("usage", "GET"): Call(KNOWN),
    ("artists", "GET"): Call(KNOWN),
    ("artist", "GET"): Call(SEEN),
    ("albums", "GET"): Call(KNOWN),
    ("albums", "POST"): Call(NAMED, lambda w: {"title": "New", "artist": w.artist.pk}),
    ("album", "GET"): Call(SEEN),
    ("album", "PATCH"): Call(WRITTEN, lambda w: {"title": "Other"}),
    ("album", "DELETE"): Call(WRITTEN),
    ("tracks", "GET"): Call(KNOWN),
    ("tracks", "POST"): Call(NAMED, lambda w: {"title": "New", "artist": w.artist.pk}),
    # Each item has its own result: what is refused is refused inside.
    ("tracks_bulk", "POST"): Call(
        KNOWN, lambda w: {"items": [{"title": "New", "artist": w.artist.pk}]}
    ),
    ("track", "GET"): Call(SEEN),
    ("track", "PATCH"): Call(WRITTEN, lambda w: {"title": "Other"}),
    ("track", "DELETE"): Call(WRITTEN),
    ("revisions", "GET"): Call(KNOWN),
    ("revision", "GET"): Call(SEEN),
    ("revision", "PATCH"): Call(WRITTEN, lambda w: {"note": "Louder"}),
    # It is the track's only one.
    ("revision", "DELETE"): Call((401, 404, 404, 403, 409, 403, 409, 409)),
    ("revision_audio", "GET"): Call(HEARD),
    ("revision_report", "GET"): Call(SEEN),
    ("uploads", "GET"): Call(KNOWN),
    ("uploads", "POST"): Call(_SENT, _wav, "multipart"),
    ("upload", "GET"): Call(SEEN),
    ("raw_upload", "PUT"): Call(
        (401, 404, 404, 403, 422, 403, 422, 422),
        lambda w: b"RIFF not really a sound",
        "octets",
        query=lambda w: f"?track={w.track.pk}",
    ),
    ("tus_uploads", "POST"): Call(NAMED, headers=_tus_metadata, format="octets"),
    ("tus_uploads", "OPTIONS"): Call(KNOWN),
    ("tus_upload", "HEAD"): Call(WRITTEN, headers=_tus),
    ("tus_upload", "PATCH"): Call(WRITTEN, lambda w: b"01", "tus", headers=_tus),
    ("tus_upload", "DELETE"): Call(WRITTEN, headers=_tus),
    ("tus_upload", "OPTIONS"): Call(KNOWN),
    ("jobs", "GET"): Call(KNOWN),
    ("job", "GET"): Call(SEEN),
    ("job_events", "GET"): Call(SEEN),
    ("events", "GET"): Call(SEEN, query=lambda w: f"?track={w.track.pk}"),
    ("analyses_bulk", "POST"): Call(
        KNOWN, lambda w: {"items": [{"revision": str(w.revision.pk), "stage": "release"}]}
    ),
    ("analyses", "GET"): Call(SEEN),
    ("analyses", "POST"): Call(WRITTEN, lambda w: {"stage": "release"}),
    ("analysis", "GET"): Call(SEEN),
    ("report_genre", "GET"): Call(SEEN),
    ("report_features", "GET"): Call(SEEN),
    ("report_loudness", "GET"): Call(SEEN),
    ("report_mix", "GET"): Call(SEEN),
    ("report_heatmap", "GET"): Call(SEEN),
    ("report_heatmap_picture", "GET"): Call(SEEN),
    ("report_spectrogram", "GET"): Call(SEEN),
    ("targets", "GET"): Call(KNOWN),
    # None of her tracks has a report that a target can be made of: said to whoever may make one.
    ("targets", "POST"): Call(
        (401, 400, 400, 403, 400, 403, 400, 400),
        lambda w: {"name": "New", "artist": w.artist.pk},
    ),
    ("genre_targets", "GET"): Call(KNOWN),
    ("target", "GET"): Call(SEEN),
    ("target", "DELETE"): Call(WRITTEN),
    ("stems", "GET"): Call(SEEN),
    ("stem", "GET"): Call(HEARD),
    ("lyrics", "GET"): Call(SEEN),
    ("lyrics", "PUT"): Call(WRITTEN, lambda w: {"lines": [LINE]}),
    ("lyrics_align", "POST"): Call(WRITTEN, lambda w: {"text": "I'm sitting here"}),
    ("lyrics_file", "GET"): Call(SEEN),
    ("timbre", "GET"): Call(SEEN),
    ("similar", "GET"): Call(FOUND),
    # The file of the form is no sound; and a snippet is for the account that lent it.
    ("snippets", "POST"): Call((401, *(422,) * 7), _lent, "multipart"),
    ("snippet", "GET"): Call(PRIVATE),
    ("snippet_similar", "GET"): Call(PRIVATE),
    ("playlists", "GET"): Call(KNOWN),
    ("playlists", "POST"): Call(NAMED, lambda w: {"name": "New", "artist": w.artist.pk}),
    ("playlist_path", "POST"): Call(NAMED, _way),
    ("playlist", "GET"): Call(SEEN),
    ("playlist", "PATCH"): Call(WRITTEN, lambda w: {"name": "Other"}),
    ("playlist", "DELETE"): Call(WRITTEN),
    ("playlist_items", "GET"): Call(SEEN),
    ("playlist_items", "POST"): Call(WRITTEN, _tracks),
    ("playlist_items", "PUT"): Call(WRITTEN, lambda w: {"items": [{"track": str(w.track.pk)}]}),
    ("playlist_file", "GET"): Call(SEEN),
    # Webhooks belong to the account alone; this one is the artist's.
    ("webhooks", "GET"): Call(KNOWN),
    ("webhooks", "POST"): Call(
        KNOWN, lambda w: {"url": "https://example.org/h", "events": ["analysis.finished"]}
    ),
    ("webhook", "GET"): Call(PRIVATE),
    ("webhook", "PATCH"): Call(PRIVATE, lambda w: {"description": "Other"}),
    ("webhook", "DELETE"): Call(PRIVATE),
    ("webhook_ping", "POST"): Call(PRIVATE, lambda w: {}),
    ("webhook_rotate", "POST"): Call(PRIVATE, lambda w: {}),
    ("webhook_replay", "POST"): Call(PRIVATE, lambda w: {}),
    ("webhook_deliveries", "GET"): Call(PRIVATE),
    ("webhook_delivery", "GET"): Call(PRIVATE),
    ("webhook_delivery_replay", "POST"): Call(PRIVATE, lambda w: {}),
}
