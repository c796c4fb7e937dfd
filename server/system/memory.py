"""Keeps the garbage collector, and memory that comes by pages, out of the way of calls."""

import ctypes
import gc

YOUNG_OBJECTS = 50_000
"""Objects that may be added before the collector looks at them. With the default, 700, the calls in
progress alone make it look several thousand times a second, which costs 3 us a call; they leave no
cycles behind.
"""

KEPT_BYTES = 32 * 1024 * 1024
"""Free memory that the process keeps for the next large message, in each of the C library's pools.

By default it gives most of it back and gets it again, empty, page by page, which makes a call of a
thousand images a fifth dearer.
"""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""From glibc's malloc.h."""


def settle() -> None:
    """Take what has been loaded so far for permanent, look for garbage less often, and keep some
    memory that becomes free.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    # Other C libraries have no such function, nor the one below.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def give_back() -> None:
    """Give the system the memory that a model, or its loading, has left behind, of which `settle`
    keeps too much.
    """
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)
