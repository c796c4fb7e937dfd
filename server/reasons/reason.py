"""What is known of a reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """What a reason means, and what callers and operators can do about it, in Markdown.

    `code` is the gRPC status of a call that ends so, empty where no call does. An empty remedy:
    there is nothing for them to do.
    """

    meaning: str
    code: str = ""
    caller: str = ""
    operator: str = ""
