"""Loads a server at a rate, or from callers that wait, and says what came of each call."""
