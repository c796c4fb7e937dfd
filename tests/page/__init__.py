"""The page in a real Chromium, by what its users do and see."""
