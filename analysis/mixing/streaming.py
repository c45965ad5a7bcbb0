"""What streaming services do to a track's level. The services' figures come from outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_AUDIBLE_DB = 0.05


@dataclass(frozen=True)
class ServiceTarget:
    """A service's reference loudness in LUFS and its advised highest true peak in dBTP.

    ``turns_up``: quieter tracks are raised too, as far as their peaks stay below that ceiling.
    ``as_of`` is the day on which the figures were read at their source.
    """

    name: str
    reference_lufs: float
    true_peak_dbtp: float
    turns_up: bool
    as_of: date


@dataclass(frozen=True)
class Playback:
    """What one service does to one track.

    ``gain_db`` is negative where it turns the track down and positive where it turns it up;
    ``below_db`` is how far the track then stays below the service's level; ``peak_over_db`` is
    how far the delivered true peak stands above the service's ceiling.
    """

    service: ServiceTarget
    gain_db: float
    below_db: float
    peak_over_db: float

    @property
    def is_turned_down(self) -> bool:
        return self.gain_db <= -_AUDIBLE_DB

    @property
    def is_turned_up(self) -> bool:
        return self.gain_db >= _AUDIBLE_DB

    @property
    def is_quieter(self) -> bool:
        return self.below_db >= _AUDIBLE_DB


def playback(
    integrated_lufs: float, *, true_peak_dbtp: float | None, services: Iterable[ServiceTarget]
) -> list[Playback]:
    """What each service does to a track of this loudness and true peak.

    Spotify's own example: -20 LUFS with a true peak of -5 dBTP is lifted by 4 dB to -16 LUFS,
    since 1 dB of headroom is left.
    """
    rows = []
    for service in services:
        wanted_db = service.reference_lufs - integrated_lufs
        gain_db = wanted_db
        if wanted_db > 0:
            peak_dbtp = 0.0 if true_peak_dbtp is None else true_peak_dbtp
            room_db = max(0.0, service.true_peak_dbtp - peak_dbtp)
            gain_db = min(wanted_db, room_db) if service.turns_up else 0.0
        over_db = 0.0 if true_peak_dbtp is None else true_peak_dbtp - service.true_peak_dbtp
        rows.append(
            Playback(
                service=service,
                gain_db=round(gain_db, 3),
                below_db=round(max(0.0, wanted_db - gain_db), 3),
                peak_over_db=round(max(0.0, over_db), 3),
            )
        )
    return rows
