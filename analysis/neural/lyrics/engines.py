"""Both engines by name, which of them is taken, and their models kept as long as they are used."""

from __future__ import annotations

from analysis.neural import loaded_models
from analysis.neural.lyrics import faster_engine, models, openai_engine
from analysis.neural.lyrics.recogniser import EngineUnavailable, Recogniser
from analysis.neural.weights import WeightsUnavailable

AUTO = "auto"
NAMES = (faster_engine.NAME, openai_engine.NAME)


def chosen(engine: str = AUTO) -> str:
    """The engine's name: with ``auto`` the faster one, which on a GPU is PyTorch's.

    Raises
    ------
    ValueError
        For a name that no engine has.
    """
    if engine == AUTO:
        return openai_engine.NAME if _has_cuda() else faster_engine.NAME
    if engine not in NAMES:
        raise ValueError(f"no engine is called {engine}; there are {', '.join((AUTO, *NAMES))}")
    return engine


def load(engine: str = AUTO, model: str = AUTO) -> Recogniser:
    """An engine with its model; the one that was used last is still in memory.

    Raises
    ------
    EngineUnavailable
        If no usable model is there.
    ValueError
        For a name that no engine has.
    """
    name = chosen(engine)
    device = "cuda" if _has_cuda() else "cpu"
    found = (
        models.for_openai(model) if name == openai_engine.NAME else models.for_ctranslate2(model)
    )
    key = ("lyrics", name, str(found.path), found.identity, device)
    return loaded_models.get(key, lambda: _open(name, found, device))


def _open(name: str, found: models.Found, device: str) -> Recogniser:
    if name == faster_engine.NAME:
        return faster_engine.FasterWhisper(found.path, found.model, found.identity, device)
    try:
        if found.path.is_dir():
            network = openai_engine.from_ctranslate2(found.path)
        else:
            network = openai_engine.from_checkpoint(found.path)
    except WeightsUnavailable as error:
        raise EngineUnavailable(str(error)) from error
    return openai_engine.OpenaiWhisper(network, found.model, found.identity, device)


def _has_cuda() -> bool:
    import ctranslate2

    return bool(ctranslate2.get_cuda_device_count())
