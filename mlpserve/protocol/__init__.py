"""Between arrays and the messages of the protocol, without work per number."""
