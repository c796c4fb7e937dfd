"""Why a call is refused whatever it says: for its caller, its time, or the server's state."""

from collections.abc import Mapping
from typing import Literal

from server.reasons.reason import Reason

CourseReason = Literal[
    "cancelled",
    "deadline",
    "idle_stream",
    "internal",
    "load_failed",
    "no_message",
    "no_token",
    "not_ready",
    "queue_full",
    "slow_message",
    "timeout",
    "too_many_calls",
    "too_many_streams",
    "too_many_unloaded",
    "too_many_watchers",
    "unanswered",
    "unknown_token",
    "unread_answers",
    "watched",
]

_OVERLOADED = "RESOURCE_EXHAUSTED"
_LATER = "send fewer calls at once, and retry after the time that the error says"
_MORE = (
    "see [QueueSaturated](runbook.md#queuesaturated): more servers or workers, or a higher "
    "`--max-queued-images` if callers can wait"
)

COURSE: Mapping[CourseReason, Reason] = {
    "cancelled": Reason(
        "the caller cancelled the call, or its connection broke, before the model ran",
        "CANCELLED",
        operator="nothing if there are few; if there are many, callers give up waiting: see "
        "[LatencyBudgetBurn](runbook.md#latencybudgetburn)",
    ),
    "deadline": Reason(
        "the call's deadline passed before its message was read or the model ran",
        "DEADLINE_EXCEEDED",
        "give calls more time, such as `timeout_seconds` of `Client`",
        "see [LatencyBudgetBurn](runbook.md#latencybudgetburn)",
    ),
    "idle_stream": Reason(
        "the stream had no message for a while, and its connection more than half of all streams, "
        "while another caller wanted one",
        _OVERLOADED,
        "close streams that are not used, and open fewer on one connection",
        "raise `--max-streams`",
    ),
    "internal": Reason(
        "the server made a mistake",
        "INTERNAL",
        "tell the operator, with the call's `x-request-id`",
        "read the traceback in the log, `call failed`; if it began with a new version, go back to "
        "the one before",
    ),
    "load_failed": Reason(
        "RepositoryModelLoad or RepositoryModelUnload failed on some worker; what was loaded "
        "before stays in use",
        "FAILED_PRECONDITION",
        operator="correct the files that the message names, and load the model again",
    ),
    "no_message": Reason(
        "the call ended before its message arrived: its caller left, or sent none",
        "CANCELLED",
        "send one message, also for requests without content",
    ),
    "no_token": Reason(
        "the call has no bearer token, or something else in its place",
        "UNAUTHENTICATED",
        "give `--token-file FILE` to the command, `token=` to `Client`, the metadata "
        "`authorization: Bearer TOKEN` from elsewhere",
        "hand out a token of the file that `--tokens-file` names; `Admin/Reload`, "
        "RepositoryModelLoad and RepositoryModelUnload want one of `--admin-tokens-file`",
    ),
    "not_ready": Reason(
        "the server is still loading its models, or is stopping",
        "UNAVAILABLE",
        "retry shortly, or wait with `Client.wait_until_ready`",
        "if it lasts, see [NoReadyWorker](runbook.md#noreadyworker)",
    ),
    "queue_full": Reason(
        "as many images or bytes wait for a run as `--max-queued-images` and `--max-queued-bytes` "
        "allow",
        _OVERLOADED,
        _LATER,
        _MORE,
    ),
    "slow_message": Reason(
        "the message was still arriving after a while, when other calls wanted its place",
        _OVERLOADED,
        "send smaller messages, such as uint8, or over a faster network",
        "raise `--max-arriving-messages` if there is memory for it",
    ),
    "timeout": Reason(
        "the request's own `timeout` parameter was over before the model ran",
        "DEADLINE_EXCEEDED",
        "give the request more time, or retry later",
        "see [LatencyBudgetBurn](runbook.md#latencybudgetburn)",
    ),
    "too_many_calls": Reason(
        "as many calls are in progress as `--max-concurrent-calls` allows",
        _OVERLOADED,
        _LATER,
        "see [CallsSaturated](runbook.md#callssaturated)",
    ),
    "too_many_streams": Reason(
        "as many streams are open as `--max-streams` allows",
        _OVERLOADED,
        "close streams that are not used, or call `Predict` instead",
        "raise `--max-streams`",
    ),
    "too_many_unloaded": Reason(
        "as many models are unloaded as the server keeps in mind",
        _OVERLOADED,
        operator="remove the folders of models that are not wanted, and restart the server",
    ),
    "too_many_watchers": Reason(
        "as many calls of health's `Watch` are in progress as the server, or the connection, may "
        "have",
        _OVERLOADED,
        "call `Check` instead, or share one `Watch`",
    ),
    "unanswered": Reason(
        "the call asks all workers, and one of them, or their parent, did not answer in time",
        "UNAVAILABLE",
        "retry shortly",
        "if it lasts, see [WorkerSilent](runbook.md#workersilent)",
    ),
    "unknown_token": Reason(
        "the call has a bearer token that the server doesn't know",
        "UNAUTHENTICATED",
        "use a token that the operator has given you; is it an old one?",
        "is the token in the file that `--tokens-file` or `--admin-tokens-file` names, and was "
        "that read (`reloaded` in the log)?",
    ),
    "unread_answers": Reason(
        "as many bytes of answers wait for their callers to read them as the server keeps",
        _OVERLOADED,
        "read answers as they come",
        "look for callers that are slow or stopped",
    ),
    "watched": Reason(
        "a model is to be loaded or unloaded by a call, and the server watches its files instead",
        "FAILED_PRECONDITION",
        operator="change the files in the repository, or start the server with `--watch off`",
    ),
}
