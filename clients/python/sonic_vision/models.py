"""What the API answers with, typed. Fields that a newer server adds are in ``raw``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

R = TypeVar("R", bound="Resource")


@dataclass(frozen=True)
class Resource:
    """Something of the API; ``raw`` is the whole document."""

    raw: Mapping[str, Any] = field(repr=False, compare=False, kw_only=True, default_factory=dict)

    @classmethod
    def read(cls: type[R], document: Mapping[str, Any]) -> R:
        """Made from a document; what is unknown stays in ``raw``."""
        known = {each.name: each for each in fields(cls) if each.name != "raw"}
        values = {name: document[name] for name in known if name in document}
        for name, each in known.items():
            has_default = each.default is not MISSING or each.default_factory is not MISSING
            if name not in values and not has_default:
                values[name] = None
        return cls(raw=document, **values)


@dataclass(frozen=True)
class Artist(Resource):
    """An artist whose music you may work with."""

    id: int
    name: str


@dataclass(frozen=True)
class Album(Resource):
    """An album."""

    id: str
    artist: int
    title: str
    release_date: str | None


@dataclass(frozen=True)
class Track(Resource):
    """A piece of music; its sound is in its revisions."""

    id: str
    artist: int
    title: str
    album: str | None


@dataclass(frozen=True)
class Revision(Resource):
    """One file of a track."""

    id: str
    track: str
    number: int


@dataclass(frozen=True)
class Upload(Resource):
    """A file that was sent, and what became of it."""

    id: str
    state: str
    filename: str
    length_bytes: int
    offset_bytes: int
    revision: str | None
    track: str | None
    job: str | None
    reason: str = ""

    @property
    def is_duplicate(self) -> bool:
        """Whether the artist had this content already; ``revision`` is the one she has."""
        return self.state == "duplicate"


@dataclass(frozen=True)
class Job(Resource):
    """Long work on one file."""

    id: str
    track: str
    revision: str
    stage: str
    state: str
    percent: int
    message: str
    reason_code: str = ""
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Report(Resource):
    """What listening to a file found; ``document`` is the whole of it."""

    model_version: str
    created_at: str
    genre: str
    genre_decided: bool
    genre_confidence: float | None
    tempo_bpm: float | None
    key: str
    integrated_lufs: float | None
    energy: float | None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class StageState(Resource):
    """One stage of a file: its last job, and when its result was made (None: there is none)."""

    stage: str
    job: Mapping[str, Any] | None
    model_version: str | None
    result_at: str | None


@dataclass(frozen=True)
class Result(Resource):
    """What a stage found; ``document`` has stable keys."""

    stage: str
    model_version: str
    created_at: str
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Stem(Resource):
    """One stem of a file; ``engine`` made it."""

    name: str
    engine: str
    bytes: int | None
    url: str


@dataclass(frozen=True)
class Lyrics(Resource):
    """The lyrics that count; each line has ``start_s``, ``end_s``, ``text`` and ``words``."""

    number: int
    is_own: bool
    origin: str
    language: str
    singing: bool
    lines: list[Mapping[str, Any]] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Heatmap(Resource):
    """Evidence for a genre: ``values[band][column]``, 0 to 1, the lowest band first."""

    label: str
    column_s: float
    columns: int
    bands_hz: list[float] = field(default_factory=list, repr=False)
    values: list[list[float]] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Hit(Resource):
    """A similar track, and why."""

    track: str
    title: str
    artist_name: str
    percentile: float | None
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Snippet(Resource):
    """Sound that was lent to search with."""

    id: str
    state: str
    similar_url: str
    reason: str = ""


@dataclass(frozen=True)
class Playlist(Resource):
    """Tracks in an order that an artist chose."""

    id: str
    artist: int
    name: str
    item_count: int


@dataclass(frozen=True)
class PlaylistItem(Resource):
    """A place of a playlist; all but ``id`` and ``position`` is None while its track is hidden."""

    id: int
    position: int
    track: str | None
    revision: str | None
    title: str | None
    artist_name: str | None
    duration_s: float | None


SHORT_REPORT = tuple(each.name for each in fields(Report) if each.name not in ("raw", "document"))


@dataclass(frozen=True)
class Webhook(Resource):
    """An address of yours; ``secret`` is there only when it has just been made."""

    id: str
    url: str
    events: list[str]
    active: bool
    secret: str | None = None
