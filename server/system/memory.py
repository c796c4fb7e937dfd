"""Keeps the garbage collector and page faults out of the way of calls."""

import ctypes
import gc

YOUNG_OBJECTS = 50_000
"""New objects that trigger a collection. With the default, 700, the calls in progress alone trigger
several thousand a second, which costs 3 us per call; they leave no cycles behind.
"""

KEPT_BYTES = 32 * 1024 * 1024
"""Free memory that each of the C library's pools keeps for the next large message.

By default it returns most of it to the system and gets it back page by page, zeroed, which makes a
call of a thousand images a fifth more expensive.
"""

POOLS = 2
"""Pools that a process may have. By default each of many threads gets one of its own, and with it
`KEPT_BYTES` of the memory that large messages leave.
"""

FEW_POOLS = {"MALLOC_ARENA_MAX": str(POOLS)}
"""The variable of glibc's that says so, which it reads when a process starts."""

LARGE_BYTES = 128 * 1024
"""glibc's own value for what is large, which it raises otherwise once something larger is freed."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""From glibc's malloc.h."""


def freeze() -> None:
    """Freeze what is loaded, collect less often, and keep some of the memory that becomes free."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    # Other C libraries have no such function, nor the one below.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def keep_little() -> None:
    """Have what is large returned to the system at once, wherever it lies in memory."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Return to the system what a model or its loading has freed: `freeze` keeps too much of it."""
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)
