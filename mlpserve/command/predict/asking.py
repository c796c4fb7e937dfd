"""Asks a server about pictures, so that no picture costs another its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpserve.client import DEFAULT_ADDRESS, Client
from mlpserve.command.predict.files import printable
from mlpserve.errors import InvalidRequest, MlpserveError, Unavailable
from mlpserve.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture file and the image (rows, columns) made of it."""

    name: str
    image: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Some pictures, and what the server predicts of them, or why it does not."""

    pictures: Sequence[Picture]
    outcome: Prediction | str


def ask(
    client: Client,
    pictures: Sequence[Picture],
    numbers: tuple[float, float] | None = None,
    **options: Any,
) -> Iterator[Answer]:
    """Ask about pictures in one call; if the server refuses it, about each alone.

    `numbers` are those that the model takes for black and white; None: it takes pixels.
    """
    images = np.stack([picture.image.reshape(-1) for picture in pictures])
    if numbers is None:
        sent: npt.NDArray[Any] = np.rint(255 * images).astype(np.uint8)
    else:
        black, white = numbers
        sent = black + (white - black) * images
    try:
        yield Answer(pictures, client.predict(sent, **options))
    except InvalidRequest as error:
        if len(pictures) == 1:
            yield Answer(pictures, explain(error))
            return
        answers = [
            answer for picture in pictures for answer in ask(client, [picture], numbers, **options)
        ]
        reasons = {answer.outcome for answer in answers if isinstance(answer.outcome, str)}
        if len(reasons) == 1 and all(isinstance(answer.outcome, str) for answer in answers):
            # It is not the pictures: say it once.
            answers = [Answer(pictures, reasons.pop())]
        yield from answers
    except (MlpserveError, ValueError) as error:
        yield Answer(pictures, explain(error))


def explain(error: Exception) -> str:
    """Return what went wrong, and what may help, as a terminal may show it."""
    reason = printable(str(error))
    if not isinstance(error, Unavailable):
        return reason
    return (
        f"{reason}. Is a server running there? `make run` in mlpserve's repository starts one "
        f"at {DEFAULT_ADDRESS}; --address names another, --tls or --ca one that speaks TLS"
    )
