"""Keys as numbers, and which of them a DJ may mix. No Django here.

A key's code is the pitch class of its tonic (C is 0), and 12 more in minor.
"""

from __future__ import annotations

_PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHIFTS = {"#": 1, "♯": 1, "b": -1, "♭": -1}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_MODES = ("major", "minor")
_FIFTH, _RELATIVE = 7, 9


def key_code(tonic: str | None, mode: str | None) -> int | None:
    """Code of a tonic (``"F#"``, ``"Bb"``) and ``"major"`` or ``"minor"``; None for anything
    else."""
    if not tonic or mode not in _MODES or tonic[0] not in _PITCH_CLASSES:
        return None
    pitch = _PITCH_CLASSES[tonic[0]]
    for sign in tonic[1:]:
        if sign not in _SHIFTS:
            return None
        pitch += _SHIFTS[sign]
    return pitch % 12 + 12 * _MODES.index(mode)


def code_of_name(name: str) -> int | None:
    """Code of ``"F# minor"``; None for anything else."""
    tonic, _, mode = name.strip().partition(" ")
    return key_code(tonic, mode)


def name_of_code(code: int) -> str:
    """``"F# minor"``. Raises IndexError for a number that is no code."""
    mode, pitch = divmod(code, 12)
    return f"{_NAMES[pitch]} {_MODES[mode]}"


def compatible_codes(code: int) -> tuple[int, ...]:
    """The key itself, its neighbours on the circle of fifths, and its relative: on the Camelot
    wheel the same place, one step to either side, and the other ring."""
    mode, pitch = divmod(code, 12)
    relative = (pitch + (12 - _RELATIVE if mode else _RELATIVE)) % 12 + 12 * (1 - mode)
    return (
        code,
        (pitch + _FIFTH) % 12 + 12 * mode,
        (pitch - _FIFTH) % 12 + 12 * mode,
        relative,
    )
