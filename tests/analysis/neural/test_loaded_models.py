"""Models that are not in use are dropped, before the next one is loaded."""

from __future__ import annotations

import weakref

import pytest

from analysis.neural.loaded_models import LoadedModels


class Network:
    """Holds itself in a cycle, as networks do."""

    def __init__(self) -> None:
        self.me = self


def test_a_model_is_loaded_once():
    held = LoadedModels()
    first = held.get("a", Network)
    assert held.get("a", lambda: pytest.fail("loaded twice")) is first


def test_the_one_used_longest_ago_is_gone_before_the_next_is_loaded():
    held = LoadedModels(capacity=2)
    gone = {name: weakref.ref(held.get(name, Network)) for name in ("a", "b")}
    held.get("a", Network)

    def load():
        assert gone["b"]() is None, "two would be in memory together"
        assert gone["a"]() is not None
        return Network()

    held.get("c", load)
    assert held.keys() == ["a", "c"]
    held.drop_all()
    assert gone["a"]() is None
    assert held.keys() == []


def test_what_cannot_be_loaded_is_not_kept():
    held = LoadedModels()
    held.get("a", Network)
    with pytest.raises(OSError, match="damaged"):
        held.get("b", lambda: (_ for _ in ()).throw(OSError("damaged")))
    assert held.keys() == []
    held.get("b", Network)


def test_none_at_all_is_no_capacity():
    with pytest.raises(ValueError, match="at least one"):
        LoadedModels(capacity=0)
