"""`python -m exporter`: see `--help`."""

import os

if __name__ == "__main__":
    # Before NumPy is imported: the number of threads decides the last bits of a product, and so
    # the weights that a seed gives. The networks are too small to gain from more than one.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from exporter.cli import main
    from modelfile.hints import command

    main(prog_name=command("exporter"))
