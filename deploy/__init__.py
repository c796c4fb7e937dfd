"""Configuration of what runs beside the server."""
