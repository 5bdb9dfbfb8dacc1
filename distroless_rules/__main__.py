"""``python -m distroless_rules`` is the command ``distroless``."""

from __future__ import annotations

from distroless_rules.cli.main import main

if __name__ == "__main__":
    main()
