"""Release checks of what shops ask for beside the sound: names, codes, dates, a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analysis.mixing.release import ReleaseCheck, ReleaseFacts, ReleaseItem, register

_WORKING_TITLE = re.compile(
    r"\.(wav|aiff?|flac|mp3|m4a|ogg)$|_|\b(untitled|mixdown|bounce|final|v\d+|master(ed)?)\s*\d*$",
    re.IGNORECASE,
)


@register
class Names(ReleaseCheck):
    id = "title"
    group = "details"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        details = facts.details
        name = f"{details.artist_name} – {details.title}"
        if not details.title.strip() or not details.artist_name.strip():
            yield self.item(
                "fail",
                "Title or artist is missing",
                why="No shop takes a track without both.",
                todo="Fill them in on the edit page.",
            )
        elif _WORKING_TITLE.search(details.title.strip()):
            yield self.item(
                "attention",
                "The title looks like a file name",
                value=name,
                why="Listeners see it exactly as it is written here.",
                todo="Write the title as it shall be printed; what kind of version it is has a "
                "field of its own.",
            )
        else:
            yield self.item("ok", "Title and artist", value=name)


@register
class AlbumAndArtwork(ReleaseCheck):
    id = "artwork"
    group = "details"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        details = facts.details
        if details.album_title is None:
            yield self.item(
                "attention",
                "Not on an album, and so without artwork",
                why="Shops file every track under a release with a picture; a single is a release "
                "of one.",
                todo="Make an album for it and give it a square picture.",
            )
            return
        place = f"Track {details.place} of {details.album_title}"
        yield self.item("ok", "Album and track number", value=place, id="album")
        if details.has_artwork:
            yield self.item("ok", "Artwork")
        else:
            yield self.item(
                "fail",
                "The album has no artwork",
                why="No shop takes a release without a picture.",
                todo="Add a square picture to the album; shops ask for 3000 × 3000 pixels.",
            )


@register
class Codes(ReleaseCheck):
    id = "isrc"
    group = "details"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        if facts.details.isrc:
            yield self.item("ok", "ISRC", value=facts.details.isrc)
            return
        yield self.item(
            "attention",
            "No ISRC",
            why="The code ties plays and royalties to this recording.",
            todo="Enter it if you have one; else your distributor gives you one.",
        )


@register
class ReleaseDate(ReleaseCheck):
    id = "release_date"
    group = "details"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        if facts.details.has_release_date:
            yield self.item("ok", "Release date")
            return
        yield self.item(
            "attention",
            "No release date",
            why="Editors of playlists want music about four weeks before it is out.",
            todo="Set the date on the track or on its album.",
        )


@register
class Composer(ReleaseCheck):
    id = "composer"
    group = "details"

    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        if facts.details.composer.strip():
            yield self.item("ok", "Composer", value=facts.details.composer)
            return
        yield self.item(
            "attention",
            "No composer",
            why="Collecting societies pay whoever is named here.",
            todo="Name everyone who wrote music or words.",
        )
