"""What commands read from people and show them in a terminal."""
