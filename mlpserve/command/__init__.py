"""The command mlpserve."""
