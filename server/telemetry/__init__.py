"""What the server reports about itself: metrics, call logs, traces."""
