"""Is this master ready to be released? A list of checks, each of them green, amber or red.

A check is a declarative class, as those of the mix are: what it is about, and what it says of the
facts. It always says something, so that the list shows what is in order too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mode
from typing import ClassVar, Literal

from analysis.mixing.evidence import Evidence
from analysis.mixing.level_checks import HIGHEST_TRUE_PEAK_DBTP
from analysis.mixing.streaming import Playback, ServiceTarget, playback

State = Literal["ok", "attention", "fail", "waiting"]
Group = Literal["encoding", "sound", "file", "details"]

STATE_RANK: dict[str, int] = {"fail": 3, "attention": 2, "waiting": 1, "ok": 0}
GROUPS: dict[Group, str] = {
    "encoding": "After encoding",
    "sound": "The master",
    "file": "The file",
    "details": "Details for shops",
}
# Meters are read to a tenth: nobody is sent back to the limiter for less.
READING_DB = 0.05


@dataclass(frozen=True)
class EncodedPeak:
    """A sound after lossy encoding; see :class:`analysis.sound.lossy.EncodedSound`."""

    name: str
    label: str
    bit_rate: int
    used_by: str
    true_peak_dbtp: float | None
    rise_db: float | None
    clipped_runs: int
    integrated_lufs: float | None

    @property
    def format(self) -> str:
        """``AAC 256 kbit/s``."""
        return f"{self.label} {self.bit_rate // 1000} kbit/s"


@dataclass(frozen=True)
class SourceFile:
    """The delivered file. ``codec_cutoff_hz`` is where an earlier lossy encoding cut the highs off,
    None where no cut was found; ``cutoff_known`` says whether that was looked for."""

    sample_rate: int
    bit_depth: int | None
    is_float: bool
    lossless: bool
    format_name: str
    codec_cutoff_hz: float | None
    cutoff_known: bool


@dataclass(frozen=True)
class Details:
    """What shops ask for beside the sound. ``album_title`` is None without an album."""

    title: str
    artist_name: str
    album_title: str | None
    place: int | None
    has_artwork: bool
    isrc: str
    has_release_date: bool
    composer: str


@dataclass(frozen=True)
class ReleaseFacts:
    """Everything that a check may look at. ``encodings`` is None until they have been made."""

    evidence: Evidence
    source: SourceFile
    details: Details
    services: Sequence[ServiceTarget]
    encodings: Sequence[EncodedPeak] | None

    @property
    def peak_ceiling_dbtp(self) -> float:
        """The ceiling that most services ask for."""
        ceilings = [service.true_peak_dbtp for service in self.services]
        return mode(ceilings) if ceilings else HIGHEST_TRUE_PEAK_DBTP

    @property
    def playback(self) -> list[Playback]:
        """What the services do to the track; empty where it has no loudness."""
        if self.evidence.integrated_lufs is None:
            return []
        return playback(
            self.evidence.integrated_lufs,
            true_peak_dbtp=self.evidence.true_peak_dbtp,
            services=self.services,
        )


@dataclass(frozen=True)
class ReleaseItem:
    """One line of the list: ``value`` is the figure with its unit, ``why`` and ``todo`` are for
    people and empty where nothing has to be explained or done."""

    id: str
    group: Group
    state: State
    title: str
    value: str = ""
    why: str = ""
    todo: str = ""


@dataclass(frozen=True)
class ReleaseVerdict:
    """All items, and the gravest of their states."""

    items: list[ReleaseItem]

    @property
    def state(self) -> State:
        states = [item.state for item in self.items]
        return max(states, key=lambda state: STATE_RANK[state]) if states else "ok"

    @property
    def to_do(self) -> list[ReleaseItem]:
        """What is not in order, the gravest first, in the order of the checks."""
        wrong = [item for item in self.items if item.state in ("fail", "attention")]
        return sorted(wrong, key=lambda item: -STATE_RANK[item.state])

    @property
    def in_order(self) -> list[ReleaseItem]:
        return [item for item in self.items if item.state == "ok"]

    @property
    def waiting(self) -> list[ReleaseItem]:
        return [item for item in self.items if item.state == "waiting"]

    def count(self, state: State) -> int:
        return sum(item.state == state for item in self.items)


class ReleaseCheck(ABC):
    """One thing to look at before a release. Subclasses state id and group."""

    id: ClassVar[str]
    group: ClassVar[Group]

    @abstractmethod
    def items(self, facts: ReleaseFacts) -> Iterator[ReleaseItem]:
        """What is to be said; nothing only where the facts do not allow a judgement."""

    def item(
        self,
        state: State,
        title: str,
        *,
        value: str = "",
        why: str = "",
        todo: str = "",
        id: str = "",
    ) -> ReleaseItem:
        """An item of this check."""
        return ReleaseItem(id or self.id, self.group, state, title, value, why, todo)


RELEASE_CHECKS: list[ReleaseCheck] = []


def register(check: type[ReleaseCheck]) -> type[ReleaseCheck]:
    """Class decorator: run this check on every release. Refuses a second check of the same id."""
    if any(known.id == check.id for known in RELEASE_CHECKS):
        raise ValueError(f"a release check named {check.id!r} is already registered")
    RELEASE_CHECKS.append(check())
    return check


def decibels(value: float) -> str:
    """A level to a tenth with a true minus sign."""
    text = f"{value:.1f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
