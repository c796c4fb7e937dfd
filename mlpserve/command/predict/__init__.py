"""The command mlpserve predict."""
