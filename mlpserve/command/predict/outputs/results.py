"""Writes what becomes of images, row by row, to standard output or a file."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from mlpserve.command.messages import explain_file, printable
from mlpserve.command.predict.interrupts import Interrupts
from mlpserve.command.predict.outputs.file import OutputFile
from mlpserve.command.predict.outputs.lines import CsvOutput, JsonOutput
from mlpserve.command.predict.outputs.npy import NpyOutput
from mlpserve.command.predict.outputs.text import TextOutput
from mlpserve.command.predict.rows import Answer, Failure, Outcome

Output = TextOutput | JsonOutput | CsvOutput | NpyOutput


@dataclass(slots=True)
class Results:
    """Rows of one format, on standard output if there is no file; no interrupt divides one."""

    output: Output
    file: OutputFile | None
    interrupts: Interrupts
    n_rows: int = field(default=0, init=False)

    def admit(self, outcome: Outcome) -> Outcome:
        """Return an answer, or why it has no place among the others: its classes are not theirs."""
        if not isinstance(outcome, Answer) or not isinstance(self.output, CsvOutput | NpyOutput):
            return outcome
        prediction = outcome.prediction
        if tuple(prediction.label_names) == tuple(self.output.label_names):
            return outcome
        reason = (
            f"the answer is by {printable(prediction.model)}, version {prediction.version}, whose "
            "classes differ from the first rows'; give --version, or --format json"
        )
        return Failure(outcome.names, reason)

    def add(self, outcome: Outcome) -> None:
        """Write the rows of some images; raises OSError."""
        output = self.output
        rows = output.answer(outcome) if isinstance(outcome, Answer) else output.fail(outcome)
        with self.interrupts.put_off():
            if not self.n_rows and isinstance(output, CsvOutput | NpyOutput):
                self._write(output.header())
            self._write(rows)
            self.n_rows += len(outcome.names)

    def finish(self) -> None:
        """Give the file its name; raises OSError."""
        if self.file is not None:
            with self.interrupts.put_off():
                self._complete_header(self.file)
                self.file.finish()

    def stop(self) -> None:
        """Leave the rows that there are in the file that has not got its name; raises OSError."""
        if self.file is not None:
            with self.interrupts.put_off():
                self._complete_header(self.file)
                self.file.stop()

    def _complete_header(self, file: OutputFile) -> None:
        if isinstance(self.output, NpyOutput) and file.n_bytes:
            file.rewrite_start(self.output.header(self.output.count(file.n_bytes)))

    def _write(self, rows: str | bytes) -> None:
        if self.file is not None:
            self.file.write(rows.encode() if isinstance(rows, str) else rows)
        elif isinstance(rows, str):
            sys.stdout.write(rows)
            sys.stdout.flush()


def explain_output(path: Path | None, error: OSError) -> str:
    """Return that a file, standard output for None, can't be written, and why."""
    title = "standard output" if path is None else printable(str(path))
    return f"{title} can't be written: {explain_file(error)}"
