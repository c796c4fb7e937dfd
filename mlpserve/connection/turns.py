"""How calls take turns over channels."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any


def take_turns(methods: Sequence[Any]) -> Callable[[], tuple[Any, Any]]:
    """Return what gives each method in turn, to any thread, with the next one: another channel's,
    if there are several.
    """
    return itertools.cycle(list(zip(methods, [*methods[1:], methods[0]], strict=True))).__next__
