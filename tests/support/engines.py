"""Real servers of caches, started for a test: each gives where it listens once it answers.

``tests/run --install`` brings them; a test is skipped where one is not there.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER"]

FOLDER = Path(__file__).parents[2] / ".venv" / "engines"
"""Where ``tests/run --install`` puts the packages that hold engines."""
