"""What a stream yields for each item."""

from dataclasses import dataclass, field

from mlpserve.errors import MlpserveError
from mlpserve.prediction import Prediction
from mlpserve.timing import Timing


@dataclass(slots=True, eq=False)
class Ending:
    """What is known of a stream once it has ended, which its answers share."""

    timing: Timing | None = None


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
    _ending: Ending = field(default_factory=Ending, repr=False)

    @property
    def prediction(self) -> Prediction:
        """The prediction; raises `error` if there is none."""
        if self.error is not None:
            raise self.error
        assert self._prediction is not None
        return self._prediction

    @property
    def timing(self) -> Timing | None:
        """Where the stream's time went in the server: the sums of all its items, and the whole time
        that it was open. None until the generator has come to its end, and as `Prediction.timing`.
        """
        return self._ending.timing
