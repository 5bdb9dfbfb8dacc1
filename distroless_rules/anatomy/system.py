"""Files of no deb that are not the application's either: a table of paths with who makes them and why.

Maintainer scripts and triggers make files, and so do the commands of a Dockerfile: caches, logs, databases. None of
them is copied: what of it matters at run time, a build makes anew (docs/effects.md). A path that a maintainer script
names, and that came with its deb, was made by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from distroless_rules.anatomy.packages import Database
from distroless_rules.closure.view import View
from distroless_rules.deb.installed import INFO
from distroless_rules.values.tree import Entry, Kind

__all__ = ["BUILD", "RULES", "Left", "Rule", "Text", "is_left", "left_of_build", "left_over"]

Text = Callable[[str, int], bytes]
"""Gives the first bytes of the file at a path, none where there is no file."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Paths that something else than the application makes.

    Attributes:
        name: a word for reports: ``apt``.
        pattern: matched against the start of the image path.
        reason: who makes them, and why they are not copied.
        manager: whether they belong to the package manager; else to the system.
    """

    name: str
    pattern: str
    reason: str
    manager: bool = False


RULES: tuple[Rule, ...] = (
    Rule("dpkg", r"var/lib/dpkg/|var/log/(?:dpkg|alternatives)\.log|etc/dpkg/", "dpkg's database and log", True),
    Rule(
        "apt",
        r"var/(?:lib|cache|log)/apt/|etc/apt/|usr/share/keyrings/|etc/systemd/system/.*/apt-",
        "apt's lists, caches, logs and sources",
        True,
    ),
    Rule("debconf", r"var/cache/debconf/|var/lib/ucf/|var/log/apt", "answers to questions of installations", True),
    Rule("runtime", r"(?:dev|proc|sys|run)/|\.dockerenv$|etc/mtab$|(?:var/)?run$", "what a runtime mounts or makes"),
    Rule("network", r"etc/(?:hostname|hosts|resolv\.conf)$", "what a runtime writes for each container"),
    Rule(
        "accounts",
        r"etc/(?:passwd|group|shadow|gshadow|subuid|subgid)(?:-|$)|etc/\.pwd\.lock$|etc/security/opasswd$",
        "accounts; those that matter are declared or made anew",
    ),
    Rule("linker", r"etc/ld\.so\.cache$|var/cache/ldconfig/", "ldconfig's cache"),
    Rule(
        "alternatives",
        r"etc/alternatives/",
        "links of update-alternatives, made anew",
    ),
    Rule(
        "certificates",
        r"etc/ssl/certs/|etc/ca-certificates\.conf$|etc/ssl/private/ssl-cert",
        "what update-ca-certificates makes of the certificates",
    ),
    Rule("java", r"etc/ssl/certs/java/|usr/lib/jvm/[^/]*/lib/server/classes(?:_nocoops)?\.jsa$", "made by its scripts"),
    Rule("python", r"usr/lib/(?:python3|pypy3)[^/]*/.*\.pyc$|etc/python3/debian_config$|var/lib/python/", "py3compile"),
    Rule(
        "bytecode",
        r".*/__pycache__/[^/]+\.pyc$",
        "caches of Python beside their sources; their dates no longer fit once copied",
    ),
    Rule(
        "base",
        r"etc/(?:motd|profile|environment|inputrc|networks|fstab|shells|nsswitch\.conf|localtime|timezone|machine-id"
        r"|issue|adjtime|locale\.(?:conf|gen|alias)|default/locale|debian_version|os-release|pam\.d/common-[^/]*)$"
        r"|root/\.(?:bashrc|profile)$|usr/lib/locale/locale-archive$|var/lib/(?:pam|misc|shells\.state)"
        r"|etc/ld\.so\.conf$|usr/lib/os-release$|var/(?:lock|mail)$|var/spool/mail$",
        "made by scripts of the base system",
    ),
    Rule(
        "indexes",
        r"usr/share/(?:info/dir$|mime/|applications/mimeinfo\.cache|glib-2\.0/schemas/gschemas\.compiled"
        r"|icons/[^/]*/icon-theme\.cache|X11/fonts/)|var/cache/(?:fontconfig|man|dictionaries-common)/"
        r"|usr/lib/[^/]*/(?:gconv/gconv-modules|gio/modules/giomodule|gdk-pixbuf-[^/]*/.*loaders)\.cache$"
        r"|var/lib/(?:dictionaries-common|xml-core|sgml-base|ghostscript|emacsen-common)/",
        "indexes that triggers make",
    ),
    Rule(
        "services",
        r"etc/(?:rc[0-9S]\.d|systemd/system|init\.d)/|var/lib/systemd/",
        "there is no init system in an image",
    ),
    Rule(
        "caches",
        r"(?:tmp|var/tmp|var/cache)/|(?:.*/)?\.(?:cache|npm|gnupg|wget-hsts)(?:/|$)|(?:root|home/[^/]*)/\.(?:bash_history"
        r"|python_history|lesshst|viminfo|config/pip)(?:/|$)",
        "what commands left behind",
    ),
    Rule("logs", r"var/log/", "what was logged while the image was made"),
)
"""The table; the first row that matches holds."""

BUILD = Rule(
    "build",
    r"usr/local/(?:include|share/(?:man|doc|info|aclocal)|man)(?:/|$)|usr/local/(?:lib|share)/(?:.*/)?"
    r"(?:pkgconfig/.*|[^/]*\.a|[^/]*\.la)$|usr/src/",
    "headers, static libraries and manuals that were installed by hand: only builds read them",
)
"""What of the files of no deb only builds need."""

_ANY = re.compile("|".join(f"({rule.pattern})" for rule in (*RULES, BUILD)))
_SCRIPTED = re.compile(r"(?:etc|var|root|usr/(?!local/))")
_PATH = re.compile(r"/(?:etc|var|usr|root)/[A-Za-z0-9_+.,@%/-]{2,250}")


@dataclass(frozen=True, slots=True)
class Left:
    """Why a path of no deb is not the application's: the rule, or the deb whose script made it."""

    rule: Rule
    deb: str = ""


def is_left(path: str) -> bool:
    """Tell whether a path is, by its name alone, not the application's if no deb has it."""
    return _ANY.match(path) is not None


def left_over(view: View, database: Database, layer_of: Mapping[str, int], text: Text) -> dict[str, Left]:
    """Give the files, links and devices of no deb that are not the application's.

    Args:
        view: the image's files.
        database: its debs.
        layer_of: the layer that brought each path.
        text: gives the first bytes of the file at a path.

    Raises:
        OSError: if a maintainer script cannot be read.
    """
    if not database.debs:
        return {path: Left(_DEVICE) for path, entry in view.entries.items() if entry.kind not in _ORDINARY}
    scripts = _named_by_scripts(view, text)
    found: dict[str, Left] = {}
    for path, entry in view.entries.items():
        if entry.kind is Kind.DIRECTORY or database.owner(path):
            continue
        left = _left(view, path, entry, database)
        if left is None and path in scripts and _SCRIPTED.match(path):
            deb, listed = scripts[path]
            if layer_of[path] <= layer_of[listed]:
                left = Left(_SCRIPT, deb)
        if left is not None:
            found[path] = left
    return found


_ORDINARY = (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
_DEVICE = Rule("runtime", "", "devices, which a runtime makes")
_MERGED = Rule("base", "", "links of the merged /usr, made anew")
_LINK = Rule("alternatives", "", "links of update-alternatives, made anew")
_SCRIPT = Rule("scripts", "", "made by maintainer scripts")
_MADE = Rule("made", "", "what every image has, made by the build: accounts, certificates, records for scanners")
_UNLISTED = Rule("unlisted", "", "links and configuration of debs, which the records for scanners do not list")


def left_of_build(
    view: View, database: Database, layer_of: Mapping[str, int], titles: Sequence[str]
) -> dict[str, Left]:
    """Give the same of an image whose layers say what they hold, as those of our own builds do.

    Args:
        view: the image's files.
        database: its debs; records for scanners list neither links nor configuration.
        layer_of: the layer that brought each path.
        titles: what made each layer.
    """
    found = {}
    for path, entry in view.entries.items():
        title = titles[layer_of[path]].rpartition(": ")[2]
        if entry.kind is not Kind.DIRECTORY and not database.owner(path) and title != "application":
            found[path] = Left(_MADE if title == "system" else _UNLISTED)
    return found


def _left(view: View, path: str, entry: Entry, database: Database) -> Left | None:
    if entry.kind not in _ORDINARY:
        return Left(_DEVICE)
    if entry.kind is Kind.SYMLINK:
        if "/" not in path and entry.target.strip("/") == f"usr/{path}":
            return Left(_MERGED)
        if entry.target.startswith("/etc/alternatives/"):
            return Left(_LINK)
    match = _ANY.match(path)
    if match is None or match.lastindex is None:
        return None
    rule = (*RULES, BUILD)[match.lastindex - 1]
    if rule.name == "bytecode":
        folder, _, name = path.rpartition("/__pycache__/")
        return Left(rule) if f"{folder}/{name.partition('.')[0]}.py" in view.entries else None
    if rule.name == "python" and path.endswith(".pyc") and "/__pycache__/" not in path:
        return None
    return Left(rule)


def _named_by_scripts(view: View, text: Text) -> dict[str, tuple[str, str]]:
    """Give path -> the deb whose script names it, and the path of that deb's list of files."""
    folder, names = view.real(INFO) or "", view.names(INFO)
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(names):
        deb, _, kind = name.rpartition(".")
        if kind not in ("postinst", "preinst", "postrm", "config", "templates") or f"{deb}.list" not in names:
            continue
        script = text(f"{folder}/{name}", 1 << 20).decode("utf-8", "replace")
        for path in _PATH.findall(script):
            found.setdefault(path.strip("/").rstrip("."), (deb.partition(":")[0], f"{folder}/{deb}.list"))
    return found
