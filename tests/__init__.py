"""Tests, in the layout of the package; marks are explained in pyproject.toml."""
