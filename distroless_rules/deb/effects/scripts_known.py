"""Debs whose scripts were read by a person: what they do is modelled by an effect of its own, or nothing misses it.

The text of these scripts is not looked at, so each row says why that is right for every version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["KNOWN", "PATTERNS", "known"]

_LOGIN = "sets up logins, and an image has none"
_COMPILE = "compiles modules to byte code, which Python does without"

KNOWN: Mapping[str, str] = {
    "base-files": "makes folders and os-release; the effects folders and os-release do",
    "base-passwd": "makes passwd and group of its masters; the effect accounts does",
    "bash": "sets up logins and /bin/sh, which the debs' own links are",
    "ca-certificates": "makes the CA bundle and the hash links; the effect ca-certificates does",
    "ca-certificates-java": "makes Java's trust store; the effect java-cacerts does",
    "dash": "diverts /bin/sh in versions older than any that is read here",
    "debconf": "sets up its own database of questions, and nothing asks",
    "dpkg": "sets up its own database, which is not in an image",
    "fontconfig-config": "links a choice of rendering rules that debconf asks for; fontconfig has defaults",
    "hicolor-icon-theme": "writes a cache of icons, which programs do without",
    "libc-bin": "makes nsswitch.conf and ld.so.cache; the effect nsswitch does, and the loader finds libraries without",
    "libc6": "checks the host's kernel and diverts the loader for the time of an upgrade",
    "libpam-modules": _LOGIN,
    "libpam-modules-bin": _LOGIN,
    "libpam-runtime": _LOGIN,
    "libpam0g": _LOGIN,
    "locales": "compiles the locales that debconf asks for; C.UTF-8 is built in",
    "login": _LOGIN,
    "passwd": _LOGIN,
    "perl-base": "keeps links of an upgrade",
    "poppler-data": "joins lists of fonts; the effect ghostscript-fonts does",
    "tzdata": "makes localtime and timezone; the effect timezone does",
    "udev": "manages the host's devices",
    "util-linux": "its alternatives are for a pager, which is cut",
}
PATTERNS: Mapping[str, str] = {
    r"(lib)?python3[.0-9]*(-minimal|-stdlib)?": _COMPILE,
    r"postgresql-(client-)?[0-9]+": "makes a cluster, which an image must never hold, and links to manual pages",
}


def known(deb: str) -> str:
    """Give why the scripts of a deb are right as they are modelled, or ``""`` when nobody has read them."""
    reason = KNOWN.get(deb)
    return reason or next((why for pattern, why in PATTERNS.items() if re.fullmatch(pattern, deb)), "")
