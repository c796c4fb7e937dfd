"""Asks over a stream, from a thread or from a task, so that both are tested alike."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mlpserve import Answer, Client, aio

KINDS = ("threads", "tasks")


@dataclass(slots=True)
class Asked:
    """What a stream yielded, and what it raised at last."""

    answers: list[Answer] = field(default_factory=list)
    error: Exception | None = None

    def outcomes(self) -> list[Any]:
        """The label or the error of each answer, which come in order."""
        assert [answer.index for answer in self.answers] == list(range(len(self.answers)))
        return [
            type(answer.error) if answer.error else answer.prediction.labels.tolist()
            for answer in self.answers
        ]


def ask(
    kind: str,
    address: str,
    items: Iterable[Any],
    *,
    options: dict[str, Any] | None = None,
    read: Callable[[], object] = lambda: None,
    **asked: Any,
) -> Asked:
    """Ask for all items; `options` are the client's, and `read` is called after each answer."""
    found = Asked()
    if kind == "threads":
        with Client(address, **(options or {})) as client:
            try:
                for answer in client.predict_stream(items, **asked):
                    found.answers.append(answer)
                    read()
            except Exception as error:  # noqa: BLE001
                found.error = error
        return found

    async def ask_in_a_task() -> None:
        async with aio.Client(address, **(options or {})) as client:
            try:
                async for answer in client.predict_stream(items, **asked):
                    found.answers.append(answer)
                    read()
            except Exception as error:  # noqa: BLE001
                found.error = error

    asyncio.run(ask_in_a_task())
    return found
