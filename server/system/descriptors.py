"""The standard descriptors, which may be closed when the server is started."""

import os


def occupy() -> None:
    """Open those of 0, 1 and 2 that are closed, on /dev/null for reading; writing to them fails.

    Otherwise the next socket would get the number, and with it the output for standard error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets this number, the lowest that is free.
            os.open(os.devnull, os.O_RDONLY)
            os.set_inheritable(number, True)
