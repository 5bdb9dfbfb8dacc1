"""What of a deb an image does not need: a path in, the name of the rule that drops it (or None) out.

The rules are a table, each with its reason, so that a report can say why a file is missing. ``keep`` patterns of the
image beat them. Licence files always stay (Debian policy 12.5 asks for them beside the program).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from distroless_rules.errors import ConfigError
from distroless_rules.values.path import encode

__all__ = ["RULES", "Pruner", "Rule", "matcher"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason to leave files out.

    Attributes:
        name: a word for reports: ``man``.
        pattern: what it drops, matched against the start of the image path.
        reason: why nothing misses the files when the image runs.
        spare: what it leaves, or ``""``.
    """

    name: str
    pattern: str
    reason: str
    spare: str = ""


_LICENCE = r"usr/share/doc/(?:.*/)?(?:copyright|licen[cs]e|copying|notice)[^/]*$"

# The converters that stay are those of the Unicode forms and of the Latin alphabets that old web and mail servers
# still send; they are 0.2 of 8 MB. "gconv-modules*" are the tables that name them.
_CHARSETS = r"UTF-16|UTF-32|UTF-7|UNICODE|ISO8859-1|ISO8859-15|CP1252"

RULES: tuple[Rule, ...] = (
    Rule("doc", r"usr/share/doc/", "documentation, examples and change logs; licence files stay", _LICENCE),
    Rule(
        "man",
        r"usr/(?:local/)?(?:share/)?man/|usr/(?:lib|share)/(?:.*/)?man/man[0-9]/",
        "manual pages need a pager and a formatter",
    ),
    Rule("info", r"usr/share/info/", "info pages need a reader"),
    Rule("locale", r"usr/share/locale/", "translated messages; name languages in locales to keep them"),
    Rule(
        "headers",
        r"usr/include/|usr/(?:lib|share/perl5?)/(?:.*/)?[^/]*\.(?:h|hh|hpp|hxx|inl|ipp|tcc)$",
        "only a compiler reads them; its own, which stand beside it, stay",
        r"usr/lib/(?:gcc|llvm)[^/]*/",
    ),
    # Programs open their plugins by libtool archives (ImageMagick every format): those of other folders stay.
    Rule(
        "static",
        r"usr/lib/(?:(?:.*/)?[^/]*\.a|(?:[^/]*-linux-[^/]*/)?[^/]*\.la)$",
        "only a linker reads static libraries and the libtool archives beside shared ones",
    ),
    Rule("pkg-config", r"usr/(?:lib/(?:[^/]*/)?|share/)pkgconfig/", "only build systems read it"),
    Rule("build-system", r"usr/(?:lib/(?:[^/]*/)?|share/)cmake/|usr/share/aclocal/", "only build systems read it"),
    Rule(
        "completion",
        r"usr/share/(?:bash-completion|zsh|fish)/|etc/bash_completion\.d/",
        "there is no interactive shell",
    ),
    Rule(
        "packaging",
        r"usr/share/(?:lintian|bug|doc-base|reportbug|apport|debhelper|menu)/|usr/lib/debug/",
        "notes for package checkers, bug reporters and debuggers",
    ),
    Rule(
        "installation",
        r"usr/s?bin/(?:update-(?:ca-certificates|java-alternatives)|py3?(?:compile|clean)|py3versions)$"
        r"|etc/ca-certificates/update\.d/|usr/share/python3/|usr/lib/postgresql/[0-9]+/lib/pgxs/",
        "programs that only maintainer scripts and builds of extensions run",
    ),
    # Interpreters' debs bring them; who starts programs by `bundle exec` says so with keep.
    Rule(
        "managers",
        r"usr/bin/(?:cpan|gem|bundler?|luac)[0-9.]*$|usr/lib/ruby/gems/[^/]*/gems/[^/]*/exe/bundler?$",
        "packages are installed, and sources translated, before an image is made",
    ),
    Rule("debugger", r"usr/share/(?:gdb|gcc/python|gcc-[0-9]+/python)/", "extensions of a debugger"),
    Rule(
        "service",
        r"etc/(?:init\.d|rc[0-9S]\.d|logrotate\.d|cron\.[a-z]+|apparmor\.d|ufw|update-motd\.d|insserv\.conf\.d)/"
        r"|(?:usr/lib|etc)/(?:systemd|udev)/|usr/lib/(?:sysusers|tmpfiles)\.d/|usr/lib/init/",
        "there is no init system, scheduler or log rotation; accounts and folders they declare are made",
        r"usr/lib/systemd/libsystemd",
    ),
    Rule(
        "gconv",
        r"usr/lib/[^/]*/gconv/",
        "character sets beyond Unicode and Latin",
        rf".*/(?:(?:{_CHARSETS})\.so$|gconv-modules)",
    ),
)


class Pruner:
    """Says which rule drops a path of a deb.

    Args:
        locales: languages whose message catalogues stay: ``de``, ``pt_BR``.
        keep: true for paths that no rule may drop.
    """

    def __init__(self, locales: Iterable[str] = (), keep: Callable[[str], bool] = lambda path: False) -> None:
        self._keep = keep
        names = "|".join(re.escape(wanted) for locale in locales for wanted in {locale, locale.partition("_")[0]})
        spares = {rule.name: rule.spare for rule in RULES}
        if names:
            spares["locale"] = rf"usr/share/locale/(?:{names})(?:[_.@][^/]*)?/"
        self._spares = {name: re.compile(spare, re.IGNORECASE) for name, spare in spares.items() if spare}
        self._names = [rule.name for rule in RULES]
        self._any = re.compile("|".join(f"({rule.pattern})" for rule in RULES))

    def rule(self, path: str) -> str | None:
        """Give the name of the rule that drops the file or link at ``path``, None if it stays."""
        match = self._any.match(path)
        if match is None or match.lastindex is None:
            return None
        name = self._names[match.lastindex - 1]
        spare = self._spares.get(name)
        if (spare is not None and spare.match(path)) or self._keep(path):
            return None
        return name


def matcher(patterns: Iterable[str], fold: Callable[[str], str]) -> Callable[[str], bool]:
    """Compile path patterns into one test, which takes time in proportion to a path, whatever the patterns are.

    ``*`` and ``?`` stay within a component, ``**`` crosses them; a pattern that names a folder means all below it.

    Args:
        patterns: for example ``/etc/init.d/*`` or ``usr/share/doc/**/README*``.
        fold: applied to each pattern as to paths (``values.path.fold_usr``).

    Raises:
        ConfigError: if there are more patterns than can be looked for at once.
    """
    parts = [_translate(fold(pattern.strip("/"))) for pattern in patterns]
    if not parts:
        return lambda path: False
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes: paths need not be UTF-8
    options.dot_nl = True
    options.log_errors = False
    try:
        compiled = re2.compile(b"(?:%s)(?:/.*)?" % b"|".join(parts), options)
    except re2.error as error:
        raise ConfigError("look for paths", f"there are too many patterns ({len(parts)})") from error
    return lambda path: compiled.fullmatch(encode(path)) is not None


def _translate(pattern: str) -> bytes:
    tokens = re.split(r"(\*\*/?|\*|\?)", pattern)
    character = rb"(?:[^/\x80-\xff]|[\xc0-\xff][\x80-\xbf]*|[\x80-\xbf])"
    wild = {"**/": b"(?:.*/)?", "**": b".*", "*": b"[^/]*", "?": character}
    return b"".join(wild.get(token) or encode(re.escape(token)) for token in tokens)
