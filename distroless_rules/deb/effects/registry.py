"""All effects, in the order in which they are applied."""

from __future__ import annotations

from distroless_rules.deb.effects.certificates import CA_CERTIFICATES, JAVA_CACERTS
from distroless_rules.deb.effects.declared import TMPFILES
from distroless_rules.deb.effects.effect import Effect
from distroless_rules.deb.effects.enabled import ENABLED
from distroless_rules.deb.effects.folders import FOLDERS
from distroless_rules.deb.effects.ghostscript import GHOSTSCRIPT_FONTS
from distroless_rules.deb.effects.links import USR_MERGE, VAR_RUN
from distroless_rules.deb.effects.script_effects import ALTERNATIVES, SCRIPTS
from distroless_rules.deb.effects.system import ACCOUNTS, NSSWITCH, OS_RELEASE
from distroless_rules.deb.effects.timezone import TIMEZONE

__all__ = ["EFFECTS", "FIRST", "LAST"]

# Links that decide where the paths of everything else lie.
FIRST: tuple[Effect, ...] = (USR_MERGE, VAR_RUN)

# What is made once the debs' and the user's files are known.
LAST: tuple[Effect, ...] = (
    OS_RELEASE,
    NSSWITCH,
    TIMEZONE,
    FOLDERS,
    TMPFILES,
    SCRIPTS,
    ALTERNATIVES,
    ENABLED,
    GHOSTSCRIPT_FONTS,
    CA_CERTIFICATES,
    JAVA_CACERTS,
    ACCOUNTS,
)

EFFECTS: tuple[Effect, ...] = (*FIRST, *LAST)
