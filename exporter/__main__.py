"""`python -m exporter`: see `--help`."""

from exporter.cli import main

if __name__ == "__main__":
    main(prog_name="python -m exporter")
