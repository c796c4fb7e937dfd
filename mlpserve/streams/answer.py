"""What a stream yields for each item."""

from dataclasses import dataclass, field

from mlpserve.errors import MlpserveError
from mlpserve.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to one item of a stream: its prediction, or why there is none.

    Attributes
    ----------
    index
        Which item it answers, counted from 0.
    error
        None, or why there is no prediction: a TypeError or ValueError when the item can't be sent,
        otherwise the MlpserveError that `predict` would have raised.
    """

    index: int
    error: MlpserveError | TypeError | ValueError | None = None
    _prediction: Prediction | None = field(default=None, repr=False)

    @property
    def prediction(self) -> Prediction:
        """The prediction; raises `error` if there is none."""
        if self.error is not None:
            raise self.error
        assert self._prediction is not None
        return self._prediction
