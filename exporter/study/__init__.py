"""How good a network is and what it does inside, as numbers, pictures and pages."""
