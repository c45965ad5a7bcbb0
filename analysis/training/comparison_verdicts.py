"""What a comparison of a candidate with the model that serves can come to."""

from __future__ import annotations

BETTER, NOT_WORSE, WORSE, UNDECIDED = "better", "not_worse", "worse", "undecided"
