"""The standard descriptors, which whoever starts the server may have closed."""

import os


def occupy() -> None:
    """Open those of 0, 1 and 2 that are closed, for reading nothing; writing to them fails.

    Otherwise the next socket would get the number, and what is meant for standard error with it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.open(os.devnull, os.O_RDONLY)
            os.set_inheritable(number, True)
