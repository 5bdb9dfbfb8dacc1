"""Commands that enable a part of a server's configuration: words in, acts out.

The act says what is enabled and where; which links that makes depends on the files (``enabled``).
Source: a2enmod(8), a2enconf(8), a2ensite(8), lighty-enable-mod(1), phpenmod(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from distroless_rules.deb.effects.script_acts import Act, Model, System, Unmodelled, Words, options

__all__ = ["ENABLE"]

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_ALL = "ALL"


def _named(names: list[str], folder: str) -> Iterator[Act]:
    if any(not _NAME.fullmatch(name) or name in (".", "..") for name in names):
        raise Unmodelled
    for name in names:
        yield Act("enable", name, folder)


def _apache(kind: str) -> Model:
    def model(words: Words, system: System) -> Iterator[Act]:
        _, names = options(words, "mqf", "maintmode", "quiet", "force")
        yield from _named(names, f"apache2/{kind}")

    return model


def _lighttpd(words: Words, system: System) -> Iterator[Act]:
    _, names = options(words, "")
    yield from _named(names, "lighttpd/conf")


def _php(words: Words, system: System) -> Iterator[Act]:
    """Read ``php_invoke enmod VERSION SAPI NAME`` of php-maintscript-helper.

    A module is enabled for ALL by its own deb, which reaches every SAPI of the image; a SAPI's deb does the same again
    from its side, with names that it asks for.
    """
    if len(words) != 4 or None in words[:3]:
        raise Unmodelled
    command, version, sapi, name = words
    if command != "enmod" or not re.fullmatch(r"[0-9]+\.[0-9]+", version or ""):
        raise Unmodelled
    if sapi == _ALL:
        if name is None:
            raise Unmodelled
        yield from _named([name], f"php/{version}")


ENABLE: Mapping[str, Model] = {
    "a2enconf": _apache("conf"),
    "a2enmod": _apache("mods"),
    "a2ensite": _apache("sites"),
    "lighty-enable-mod": _lighttpd,
    "php_invoke": _php,
}
"""Name -> what it does."""
