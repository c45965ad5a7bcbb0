"""When the product names a genre, and when it says that it is not sure."""

from __future__ import annotations

from analysis.neural.familiarity import UNFAMILIAR_BELOW

# Below this calibrated confidence no genre is named.
UNDECIDED_BELOW = 0.4


def is_familiar(familiarity: float) -> bool:
    """Whether the music is like what the model was trained on."""
    return familiarity >= UNFAMILIAR_BELOW


def is_decided(confidence: float, familiarity: float) -> bool:
    """Whether the genre can be named: sure enough, and music like the model knows."""
    return confidence >= UNDECIDED_BELOW and is_familiar(familiarity)
