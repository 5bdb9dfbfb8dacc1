"""Error texts."""
