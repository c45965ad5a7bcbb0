"""Every engine by name, which of them are here, and the best of those."""

from __future__ import annotations

import importlib.util

import torch

from analysis.neural.separation import demucs_engine, spleeter_weights
from analysis.neural.separation.engine import Engine, EngineUnavailable
from analysis.neural.weights import WeightsUnavailable

AUTO = "auto"
STARTER = "starter"
# Best first. Six stems are no better at the common four, so ``auto`` comes to them last.
BY_QUALITY = (*demucs_engine.NAMES, STARTER)


def available() -> list[str]:
    """Engines that can be used without the network, best first."""
    return [name for name in BY_QUALITY if _is_present(name)]


def best_device() -> str:
    """``cuda``, ``mps`` or ``cpu``: the fastest that this machine has."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load(name: str = AUTO, *, device: str | None = None) -> Engine:
    """An engine by name; ``auto`` takes the best that is here.

    Raises
    ------
    EngineUnavailable
        If it, or with ``auto`` every one, cannot be used here.
    ValueError
        For a name that no engine has.
    """
    device = device or best_device()
    if name == AUTO:
        present = available()
        if not present:
            raise EngineUnavailable("no engine for separation is installed")
        name = present[0]
    if name == STARTER:
        from analysis.neural.separation.starter import Starter

        try:
            return Starter(device)
        except WeightsUnavailable as error:
            raise EngineUnavailable(str(error)) from error
    if name in demucs_engine.NAMES:
        return demucs_engine.Demucs(name, device)
    raise ValueError(f"no engine is called {name}; there are {', '.join((AUTO, *BY_QUALITY))}")


def _is_present(name: str) -> bool:
    if name == STARTER:
        try:
            return spleeter_weights.checkpoint_folder().is_dir()
        except WeightsUnavailable:
            return False
    return importlib.util.find_spec("demucs") is not None and demucs_engine.is_present(name)
