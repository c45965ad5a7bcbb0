"""The equaliser that a mix report advises: its moves, scaled and switched as the listener likes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.sound.equaliser import SHELF_Q, Move

SHAPE_NAMES = {"bell": "Bell", "low_shelf": "Low shelf", "high_shelf": "High shelf"}
_LEAST_GAIN_DB = 0.005


@dataclass(frozen=True)
class AdvisedMove:
    """One equaliser move of a finding.

    ``key`` names the move within its report, as links and switches do: the finding's id, with a
    number behind it where several findings share one. ``is_on`` is False where the move is
    bypassed; ``gain_db`` then says what it would do.
    """

    key: str
    finding_id: str
    title: str
    type: str
    freq_hz: float
    q: float
    gain_db: float
    is_on: bool = True

    @property
    def shape_name(self) -> str:
        """``Low shelf`` and so on."""
        return SHAPE_NAMES[self.type]


def moves_of(mix: Mapping[str, Any]) -> list[AdvisedMove]:
    """The moves that the findings of a report's ``mix`` part advise, in their order.

    A shelf's q is always 0.707: its slope is fixed (see :mod:`analysis.sound.equaliser`).
    """
    moves: list[AdvisedMove] = []
    for finding in mix.get("findings") or []:
        advice = finding.get("advice") or {}
        shape, freq_hz, gain_db = (advice.get(name) for name in ("type", "freq_hz", "gain_db"))
        if shape not in SHAPE_NAMES or not freq_hz or not gain_db:
            continue
        q = float(advice.get("q") or SHELF_Q) if shape == "bell" else SHELF_Q
        moves.append(
            AdvisedMove(
                key=_free_key(str(finding["id"]), {move.key for move in moves}),
                finding_id=str(finding["id"]),
                title=str(finding["title"]),
                type=shape,
                freq_hz=float(freq_hz),
                q=q,
                gain_db=float(gain_db),
            )
        )
    return moves


def with_settings(
    moves: Sequence[AdvisedMove], *, amount: float = 1.0, off: Collection[str] = ()
) -> list[AdvisedMove]:
    """*moves* at an amount of 0 to 1 (a factor of the gain in dB), those named in *off* bypassed.

    Raises ValueError for an amount outside 0..1.
    """
    if not 0.0 <= amount <= 1.0:
        raise ValueError(f"amount must lie between 0 and 1, not {amount}")
    return [
        replace(move, gain_db=round(amount * move.gain_db, 3) + 0.0, is_on=move.key not in off)
        for move in moves
    ]


def audible(moves: Sequence[AdvisedMove]) -> list[AdvisedMove]:
    """The moves that change anything."""
    return [move for move in moves if move.is_on and abs(move.gain_db) >= _LEAST_GAIN_DB]


def filters(moves: Sequence[AdvisedMove]) -> list[Move]:
    """The moves that change anything, as the equaliser takes them."""
    return [
        Move(type=move.type, freq_hz=move.freq_hz, gain_db=move.gain_db, q=move.q)  # type: ignore[arg-type]
        for move in audible(moves)
    ]


def _free_key(wanted: str, taken: Collection[str]) -> str:
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"
