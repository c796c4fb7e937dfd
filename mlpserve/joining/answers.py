"""What the answer to joined calls means for each of them."""

import grpc

from mlpserve.errors import (
    FEWER_IMAGES,
    DeadlineExceeded,
    InvalidRequest,
    TooLarge,
    from_rpc_error,
    late,
    unanswered,
)
from mlpserve.images import check_count
from mlpserve.joining.queues import (
    ALONE,
    MAX_ROUNDS,
    Group,
    Member,
    Outcome,
    Queues,
    W,
)
from mlpserve.joining.refusals import find_refused
from mlpserve.prediction import Canonicalization, Prediction

_BATCH_SIZE = "BATCH_SIZE"


class Closed(Exception):
    """The client was closed while calls waited to be sent."""


def receive(
    queues: Queues[W], group: Group[W], answer: Prediction | Exception, address: str
) -> Group[W] | None:
    """Give an answer, or why there is none, to a group; returns the group that is to be sent now,
    if some of its calls are to travel together once more.

    Invalid images fail alone: calls that the server refuses by name are sent on their own, where
    they get their own error, and the others together once more. Where nobody says which are meant,
    all are sent on their own.
    """
    n_members = len(group.members)
    outcome: Outcome = answer
    retried: list[Member[W]] = []
    if isinstance(answer, Prediction):
        group.share, rest = divmod(len(answer), n_members)
        if rest:
            # The pixels of one call are not a whole number of images.
            outcome = ALONE
        elif group.share > 1:
            # Batches have been joined already, by their caller.
            queues.limit(group.key, 1)
    elif not isinstance(answer, grpc.RpcError):
        if not isinstance(answer, Closed):
            outcome = ALONE
    elif n_members > 1:
        error = from_rpc_error(answer, address, FEWER_IMAGES)
        if isinstance(error, InvalidRequest):
            if _is_size(error):
                queues.split(group)
                return None
            outcome = ALONE
            refused = find_refused(answer, n_members)
            if refused and group.rounds < MAX_ROUNDS:
                retried = [member for member in group.members if member.place not in refused]
    return queues.conclude(group, outcome, retried)


def _is_size(error: InvalidRequest) -> bool:
    """Return whether fewer images would be accepted."""
    return isinstance(error, TooLarge) or any(
        violation.reason == _BATCH_SIZE for violation in error.violations
    )


def take(member: Member[W], address: str) -> Prediction:
    """Return a call's share of the answer to its group, or raise its error.

    Not for calls whose outcome is `ALONE`.
    """
    outcome = member.outcome
    assert member.group is not None
    if isinstance(outcome, Prediction):
        share, place = member.group.share, member.place
        prediction = _cut(outcome, slice(place * share, (place + 1) * share))
        if share > 1:
            check_count(member.pixels, prediction)
        return prediction
    if isinstance(outcome, grpc.RpcError):
        raise from_rpc_error(outcome, address, FEWER_IMAGES) from outcome
    raise unanswered(address)


def too_late(address: str) -> DeadlineExceeded:
    """Return what a call ends with whose time is over before its answer is there."""
    return late(f"{address} did not answer in time: Deadline Exceeded")


def _cut(prediction: Prediction, part: slice) -> Prediction:
    """Return the answers to some of the images, as arrays of their own."""
    layers, done = prediction.hidden_layers, prediction.canonicalization
    return Prediction(
        prediction.labels[part].copy(),
        prediction.activations[part].copy(),
        prediction.label_names,
        prediction.model,
        prediction.version,
        tuple([layer[part].copy() for layer in layers]) if layers else (),
        done
        and Canonicalization(
            done.inverted[part].copy(),
            done.scales[part].copy(),
            done.shifts[part].copy(),
            None if done.pixels is None else done.pixels[part].copy(),
        ),
        prediction.timing,
    )
