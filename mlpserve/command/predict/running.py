"""One run of the command: writes what becomes of images, and knows when to give up."""

import contextlib
import errno
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import click

from mlpserve.command.messages import complain, printable
from mlpserve.command.predict.asking import MANY, Outcomes
from mlpserve.command.predict.outputs.results import Results, explain_output
from mlpserve.command.predict.rows import Failure
from mlpserve.parts.progress import Progress
from mlpserve.terminal.interrupts import INTERRUPTED

MAX_LOST = 10
"""After so many calls in a row that failed, whatever the images, the next ones would too."""


def run(
    all_outcomes: Generator[Outcomes],
    results: Results,
    n_images: Callable[[], int],
    *,
    has_one_input: bool,
) -> None:
    """Write all outcomes, and exit with 1 when images have no answer, with 130 on Ctrl-C.

    `n_images` counts them, for the progress. Raises ClickException when it is no use to go on, or
    the results can't be written.
    """
    # Answers that scroll by are progress enough.
    are_shown = results.file is None and sys.stdout.isatty()
    judge = Judge(has_one_input)
    try:
        with (
            contextlib.closing(all_outcomes),
            Progress(n_images, False if are_shown else None) as progress,
        ):
            for outcomes in all_outcomes:
                judge.check(outcomes)
                for outcome in outcomes:
                    admitted = results.admit(outcome)
                    if isinstance(admitted, Failure):
                        judge.has_failures = True
                        for title in () if admitted.was_told else admitted.titles:
                            complain(title, admitted.reason)
                    results.add(admitted)
                    progress.advance(len(admitted.names))
        results.finish()
    except KeyboardInterrupt:
        click.echo("Interrupted", err=True)
        _stop(results)
        sys.exit(INTERRUPTED)
    except OSError as error:
        _stop(results)
        if results.file is None and error.errno == errno.EPIPE:
            # The reader has enough.
            raise
        path = None if results.file is None else results.file.path
        raise click.ClickException(explain_output(path, error)) from error
    except BaseException:
        _stop(results)
        raise
    if judge.has_failures:
        sys.exit(1)


@dataclass(slots=True)
class Judge:
    """Decides whether to go on."""

    has_one_input: bool
    has_answers: bool = field(default=False, init=False)
    has_failures: bool = field(default=False, init=False)
    n_lost: int = field(default=0, init=False)

    def check(self, outcomes: Outcomes) -> None:
        """Raise ClickException when nothing suggests that what comes next would fare better."""
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        if len(failures) < len(outcomes):
            self.has_answers, self.n_lost = True, 0
            return
        failure = failures[0]
        if not failure.was_sent:
            return
        if not self.has_answers and len(failures) == 1 and self._is_general(failure):
            raise click.ClickException(failure.reason)
        self.n_lost += not failure.is_theirs
        if self.n_lost == MAX_LOST:
            raise click.ClickException(f"the last {MAX_LOST} calls failed; {failure.reason}")

    def _is_general(self, failure: Failure) -> bool:
        """Whether a failure of the first images says something of the others."""
        if not failure.is_theirs:
            return True
        n_images = len(failure.names)
        if failure.names[0].place is None:
            return n_images > 1
        return self.has_one_input and n_images >= MANY


def _stop(results: Results) -> None:
    """Leave whole rows, and say where."""
    with contextlib.suppress(OSError):
        results.stop()
    file = results.file
    if file is not None and file.n_bytes and not file.is_special:
        click.echo(f"{printable(str(file.part))} has the {results.n_rows:,} rows so far", err=True)
