"""`python -m mlpserve` is the command mlpserve."""

from mlpserve.cli import main

if __name__ == "__main__":
    main()
