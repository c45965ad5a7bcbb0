"""The timbre of a voice: tags by a network, measured evidence beside them.

    report = timbre.analyze((samples, rate))
    report.to_document()

Names are resolved at first use, so that importing a submodule loads no more than it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.neural.timbre.listening import analyze
    from analysis.neural.timbre.model import tag_probabilities
    from analysis.neural.timbre.report import VoiceReport

__all__ = ["VoiceReport", "analyze", "tag_probabilities"]

_HOMES = {"analyze": "listening", "tag_probabilities": "model", "VoiceReport": "report"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
