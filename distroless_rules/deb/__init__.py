"""Debian archives and packages: read, verify, resolve, lock, and what installing them would do."""
