"""Playlists: made, filled, put in order, and ways from one song to another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sonic_vision.models import Playlist, PlaylistItem


class Playlists:
    """Methods of :class:`sonic_vision.Client`; ``playlist`` and ``track`` are ids."""

    def get(self, path: str, **query: Any) -> Any:
        """As the client's."""
        raise NotImplementedError

    def get_bytes(self, path: str, **query: Any) -> bytes:
        """As the client's."""
        raise NotImplementedError

    def post(self, path: str, document: Any = None, *, key: str | None = None) -> Any:
        """As the client's."""
        raise NotImplementedError

    def put(self, path: str, document: Any) -> Any:
        """As the client's."""
        raise NotImplementedError

    def create_playlist(
        self, name: str, tracks: Iterable[str] = (), *, artist: int | None = None
    ) -> Playlist:
        """A new playlist, with tracks that the artist may find."""
        document = {"name": name, "tracks": list(tracks)}
        return Playlist.read(self.post("playlists/", _of(artist, document)))

    def create_way(
        self,
        start: str,
        end: str,
        *,
        steps: int = 5,
        artist: int | None = None,
        name: str | None = None,
    ) -> Playlist:
        """A new playlist from one track to another, with at most ``steps`` in between."""
        document: dict[str, Any] = {"start": start, "end": end, "steps": steps}
        if name is not None:
            document["name"] = name
        return Playlist.read(self.post("playlists/path/", _of(artist, document)))

    def playlist_items(self, playlist: str) -> list[PlaylistItem]:
        """What is in a playlist, in its order."""
        return _items(self.get(f"playlists/{playlist}/items/"))

    def append_to_playlist(self, playlist: str, tracks: Iterable[str]) -> int:
        """Put tracks at the end; returns how many were not in it yet."""
        found = self.post(f"playlists/{playlist}/items/", {"tracks": list(tracks)})
        return int(found["added"])

    def set_playlist_items(
        self, playlist: str, items: Iterable[PlaylistItem | str]
    ) -> list[PlaylistItem]:
        """The whole list in its new order: items that are in it, and tracks. What is not named
        goes; if anything is wrong, nothing changes."""
        named = [
            {"id": one.id} if isinstance(one, PlaylistItem) else {"track": one} for one in items
        ]
        return _items(self.put(f"playlists/{playlist}/items/", {"items": named}))

    def playlist_file(self, playlist: str, kind: str = "m3u8") -> str:
        """A playlist as m3u8 or json."""
        return self.get_bytes(f"playlists/{playlist}/files/{kind}/").decode()


def _of(artist: int | None, document: dict[str, Any]) -> dict[str, Any]:
    return document if artist is None else {**document, "artist": artist}


def _items(document: Any) -> list[PlaylistItem]:
    return [PlaylistItem.read(row) for row in document["results"]]
