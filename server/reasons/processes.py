"""What becomes of processes, and of what is read again while the server runs."""

from collections.abc import Mapping
from typing import Literal

from server.reasons.reason import Reason

EndReason = Literal["exited", "failed", "hung", "killed"]
RestartReason = EndReason | Literal["rolled"]

ENDS: Mapping[EndReason, Reason] = {
    "exited": Reason(
        "the process ended by itself, without saying why",
        operator="read the log line's `error`, which has the exit code, and the lines before it",
    ),
    "failed": Reason(
        "the process could not start, or ended with an error that it named",
        operator="`error` in the log line says what to correct",
    ),
    "hung": Reason(
        "the process gave no sign of life for `--worker-timeout-seconds` and was killed",
        operator="is the machine short of processor time or memory? Raise the timeout if it is "
        "only slow",
    ),
    "killed": Reason(
        "a signal ended the process: 9 is usually the memory limit, 11 a fault in native code",
        operator="raise the memory limit, or lower `--max-arriving-messages` and "
        "`--max-message-bytes`; for 11, keep the core file and go back to the previous image",
    ),
}
"""How a process ended, of which another takes the place: a worker, or the one for HTTP."""

_ROLLED = Reason("a rolling restart, which SIGUSR2 asks for, replaced the worker")
RESTARTS: Mapping[RestartReason, Reason] = dict[RestartReason, Reason](
    [*ENDS.items(), ("rolled", _ROLLED)]
)
"""Why a worker takes another's place."""

ReloadOutcome = Literal["done", "failed"]

RELOADS: Mapping[ReloadOutcome, Reason] = {
    "done": Reason("the part was read again, and its new content is in use"),
    "failed": Reason(
        "the new content can't be used; the previous one stays in use",
        operator="see [ReloadFailed](runbook.md#reloadfailed)",
    ),
}
