"""How loud streaming services play music: dated data, to be read again now and then.

The services' own help pages as of mid-2026; sources disagree about details (albums, quiet tracks,
devices), so only the reference level and the advised true peak are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "mid-2026"


@dataclass(frozen=True)
class Service:
    """A service's reference loudness in LUFS and its advised highest true peak in dBTP."""

    name: str
    reference_lufs: float
    true_peak_dbtp: float


SERVICES = (
    Service("Spotify", -14.0, -1.0),
    Service("YouTube", -14.0, -1.0),
    Service("Tidal", -14.0, -1.0),
    Service("Amazon Music", -14.0, -2.0),
    Service("Deezer", -15.0, -1.0),
    Service("Apple Music", -16.0, -1.0),
)


@dataclass(frozen=True)
class Playback:
    """What one service does to one track: ``gain_db`` is negative where it turns it down."""

    service: Service
    gain_db: float
    peak_over_db: float

    @property
    def is_turned_down(self) -> bool:
        return self.gain_db <= -0.05

    @property
    def is_quieter(self) -> bool:
        return self.gain_db >= 0.05


def playback(integrated_lufs: float, *, true_peak_dbtp: float | None) -> list[Playback]:
    """Gain that brings a track of this loudness to each service's reference, in dB."""
    return [
        Playback(
            service=service,
            gain_db=service.reference_lufs - integrated_lufs,
            peak_over_db=max(0.0, (true_peak_dbtp or -99.0) - service.true_peak_dbtp)
            if true_peak_dbtp is not None
            else 0.0,
        )
        for service in SERVICES
    ]
