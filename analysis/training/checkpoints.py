"""Where a training run stands, on disk: one file, whole or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


class OtherRun(ValueError):
    """A checkpoint of another recipe, corpus or starting point is in the way."""


class Checkpoint:
    """The state of one run in ``folder/checkpoint.pt``, and its log ``folder/metrics.jsonl``.

    ``fingerprint`` names what the run depends on; a checkpoint with another one is refused, so
    that nobody goes on with a model that was trained on something else.
    """

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        self.path = folder / "checkpoint.pt"
        self.metrics = folder / "metrics.jsonl"
        self._fingerprint = fingerprint

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """What :meth:`save` was given last; None at the beginning of a run.

        Raises :class:`OtherRun` for a file of another run.
        """
        if not self.path.exists():
            return None
        saved = torch.load(self.path, map_location=device, weights_only=True)
        if saved["fingerprint"] != self._fingerprint:
            raise OtherRun(
                f"{self.path} belongs to another recipe, corpus or starting point; remove it first "
                "or choose another folder for this run"
            )
        return saved

    def save(self, state: Mapping[str, Any], *, history: list[dict[str, float]]) -> None:
        """Store the state and the history (a line an epoch) in place of the former ones.

        A process that is killed in between leaves the former state.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".new")
        torch.save({**state, "history": history, "fingerprint": self._fingerprint}, unfinished)
        unfinished.replace(self.path)
        # Written anew from the stored history: a killed run leaves no line twice.
        lines = "".join(json.dumps(line) + "\n" for line in history)
        unfinished = self.metrics.with_suffix(".new")
        unfinished.write_text(lines, encoding="utf-8")
        unfinished.replace(self.metrics)
