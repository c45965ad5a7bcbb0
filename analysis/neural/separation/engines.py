"""Every engine by name, which of them are here, and the best of those.

Asking is cheap and needs no torch, so pages may; only :func:`load` and :func:`best_device` do.
"""

from __future__ import annotations

from analysis.neural.separation import demucs_files, spleeter_weights
from analysis.neural.separation.engine import Engine, EngineUnavailable
from analysis.neural.weights import WeightsUnavailable

AUTO = "auto"
STARTER = "starter"
# Best first. Six stems are no better at the common four, so ``auto`` comes to them last.
BY_QUALITY = (*demucs_files.NAMES, STARTER)
DEVICES = ("cuda", "mps", "cpu")
# Raised whenever the starter gives other stems from the same weights.
_STARTER_VERSION = 1


def available() -> list[str]:
    """Engines that can be used without the network, best first."""
    return [name for name in BY_QUALITY if is_present(name)]


def best_device() -> str:
    """``cuda``, ``mps`` or ``cpu``: the fastest that this machine has."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def chosen(name: str = AUTO) -> str:
    """The engine that a name stands for: ``auto`` is the best that is here.

    Raises
    ------
    EngineUnavailable
        If none is here.
    ValueError
        For a name that no engine has.
    """
    if name == AUTO:
        present = available()
        if not present:
            raise EngineUnavailable("no engine for separation is installed")
        return present[0]
    if name not in BY_QUALITY:
        raise ValueError(f"no engine is called {name}; there are {', '.join((AUTO, *BY_QUALITY))}")
    return name


def identity(name: str) -> str:
    """Name and weights of an engine as it would be loaded now."""
    if name == STARTER:
        return f"starter-{_STARTER_VERSION}-{spleeter_weights.identity()}"
    return demucs_files.identity(name)


def load(name: str = AUTO, *, device: str | None = None) -> Engine:
    """An engine by name; ``auto`` takes the best that is here.

    Raises
    ------
    EngineUnavailable
        If it, or with ``auto`` every one, cannot be used here.
    ValueError
        For a name that no engine has.
    """
    name = chosen(name)
    device = device or best_device()
    if name == STARTER:
        from analysis.neural.separation.starter import Starter

        try:
            return Starter(device)
        except WeightsUnavailable as error:
            raise EngineUnavailable(str(error)) from error
    from analysis.neural.separation.demucs_engine import Demucs

    return Demucs(name, device)


def is_present(name: str) -> bool:
    """Whether an engine can be used without the network."""
    if name == STARTER:
        try:
            return spleeter_weights.checkpoint_folder().is_dir()
        except WeightsUnavailable:
            return False
    return demucs_files.is_present(name)
