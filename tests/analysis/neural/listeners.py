"""Ears of which only one listener hears."""

from __future__ import annotations

import copy

from analysis.neural.ears import Ears


def trunk_alone(ears: Ears) -> Ears:
    """The same ears, of whose listeners to pictures only the trunk hears."""
    alone = copy.copy(ears)
    alone.network = copy.deepcopy(ears.network)
    alone.network.picture_companion = None
    return alone
