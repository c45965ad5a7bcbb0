"""Big models of one worker: loaded when they are first needed, dropped when another one is.

A worker that separates, transcribes and judges voices in turn would soon hold all their networks at
once. Here the one that was used last stays (``LOADED_MODELS`` of them, one by default), and the one
that was used longest ago goes *before* the next is loaded, so that two are never in memory together
where one is allowed.

    engine = loaded_models.get(("separation", "starter", "cpu"), lambda: Starter("cpu"))

A model's memory is free again only when nobody else holds it: ask for it anew for every job, and
keep it in no global and no attribute that lives on.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class LoadedModels:
    """The ``capacity`` models that were used last, by any key; safe to share between threads."""

    def __init__(self, capacity: int = 1) -> None:
        if capacity < 1:
            raise ValueError("at least one model must fit, or none could ever be used")
        self._capacity = capacity
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, loader: Callable[[], T]) -> T:
        """The model of a key; ``loader`` makes it if it is not here.

        Whatever the loader raises is raised, and nothing is kept then.
        """
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                found: T = self._held[key]
                return found
            if len(self._held) >= self._capacity:
                oldest = next(iter(self._held))
                log.info("dropping the model %s", oldest)
                del self._held[oldest]  # and no other name for it here, which would keep it
                _give_memory_back()
            model = loader()
            self._held[key] = model
            return model

    def keys(self) -> list[Hashable]:
        """Keys of the models held, the one used longest ago first."""
        with self._lock:
            return list(self._held)

    def drop_all(self) -> None:
        """Let every model go, and its memory with it."""
        with self._lock:
            self._held.clear()
            _give_memory_back()


def _give_memory_back() -> None:
    """Networks hold themselves in cycles, and allocators keep what was freed for later."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
        if trim is not None:
            trim(0)


_of_this_worker = LoadedModels(int(os.environ.get("LOADED_MODELS") or 1))
get = _of_this_worker.get
keys = _of_this_worker.keys
drop_all = _of_this_worker.drop_all
