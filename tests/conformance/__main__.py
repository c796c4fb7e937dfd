"""python -m tests.conformance ADDRESS --model NAME."""

from tests.conformance.command import main

main(prog_name="python -m tests.conformance")
