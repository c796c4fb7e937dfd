"""One pass over the repository: what it finds, and what has failed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.models.model import Model
from server.models.onnx.file import Stamp
from server.models.repository import Models

Key = tuple[str, int]
"""A model's name and the number of a version."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a version could not be loaded from the file that had this stamp.

    As text, since an exception would keep alive what its functions held, such as a model.
    """

    stamp: Stamp
    message: str
    reason: str


@dataclass(slots=True)
class Pass:
    """One pass over the repository: what is loaded so far, which of the wanted versions have
    failed, which are doubtful, and how many were tried.
    """

    loaded: dict[Key, Model]
    missed: set[Key] = field(default_factory=set)
    doubtful: dict[Key, Model] = field(default_factory=dict)
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What to serve after a pass over the repository; `problems` says of each version that is
    wanted why it is not loaded, or why what is loaded is not what is on disk. `tried` counts
    attempts to load.
    """

    models: Models
    problems: Sequence[str] = ()
    tried: int = 0
