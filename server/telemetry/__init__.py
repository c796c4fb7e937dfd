"""What the server says of itself: metrics, lines of calls, traces."""
