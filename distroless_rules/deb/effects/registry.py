"""All effects, in the order in which they are applied."""

from __future__ import annotations

from distroless_rules.deb.effects.effect import Effect
from distroless_rules.deb.effects.folders import FOLDERS
from distroless_rules.deb.effects.links import USR_MERGE, VAR_RUN
from distroless_rules.deb.effects.system import ACCOUNTS, NSSWITCH, OS_RELEASE
from distroless_rules.deb.effects.timezone import TIMEZONE

__all__ = ["EFFECTS", "FIRST", "LAST"]

# Links that decide where the paths of everything else lie.
FIRST: tuple[Effect, ...] = (USR_MERGE, VAR_RUN)

# What is made once the debs' and the user's files are known.
LAST: tuple[Effect, ...] = (OS_RELEASE, NSSWITCH, TIMEZONE, FOLDERS, ACCOUNTS)

EFFECTS: tuple[Effect, ...] = (*FIRST, *LAST)
