"""The command mlpserve bench: loads a server and says what came of it."""
