"""Dependencies that nothing needs when an image runs: a table of edges in, the debs that stay out.

Debian's Depends covers maintainer scripts and administration too: python3-minimal depends on dpkg to compile modules
when it is installed, not to run programs. Maintainer scripts never run here, so such an edge is cut, each with its
reason. What else a cut deb would have brought stays out with it, unless something that stays needs it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from distroless_rules.errors import AnalysisError

__all__ = ["CUTS", "EXCLUDED", "Cut", "CutResult", "cut"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Edges of the dependency graph that are left out.

    Attributes:
        deb: a pattern for the deb that declares the dependency; ``*`` is any.
        dependency: a pattern for the deb that satisfies it.
        reason: why nothing misses it when the image runs.
    """

    deb: str
    dependency: str
    reason: str


_QUESTIONS = "asks questions while debs are installed"
_INIT = "belongs to an init system, and an image starts its program itself"
_ACCOUNTS = "creates accounts while debs are installed; the image's are modelled"
_SHELLS = "its postinst lists shells with it"
_CLUSTER = "serves shell scripts that copy a cluster's data between servers"

CUTS: tuple[Cut, ...] = (
    # Whatever deb declares them: tools of maintainer scripts.
    Cut("*", "debconf", _QUESTIONS),
    Cut("*", "cdebconf", _QUESTIONS),
    Cut("*", "debconf-2.0", _QUESTIONS),
    Cut("*", "libdebconfclient0", _QUESTIONS),
    Cut("*", "whiptail", _QUESTIONS),
    Cut("*", "dialog", _QUESTIONS),
    Cut("*", "dpkg", "installs debs; maintainer scripts compare versions and move files with it"),
    Cut("*", "ucf", "merges configuration files of several versions while debs are installed"),
    Cut("*", "adduser", _ACCOUNTS),
    Cut("*", "passwd", _ACCOUNTS),
    Cut("*", "opensysusers", _ACCOUNTS),
    Cut("*", "systemd-standalone-sysusers", _ACCOUNTS),
    Cut("*", "systemd-standalone-tmpfiles", "makes folders when a system starts; the image's are modelled"),
    Cut("*", "opentmpfiles", "makes folders when a system starts; the image's are modelled"),
    Cut("*", "systemd", _INIT),
    Cut("*", "systemd-sysv", _INIT),
    Cut("*", "init-system-helpers", _INIT),
    Cut("*", "sysvinit-utils", _INIT),
    Cut("*", "lsb-base", _INIT),
    Cut("*", "update-inetd", "edits the list of a super-server while debs are installed"),
    Cut("*", "logrotate", "is run by a scheduler, and an image's log is its standard output"),
    Cut("*", "cron", "schedules jobs of a whole system"),
    Cut("*", "cron-daemon-common", "schedules jobs of a whole system"),
    Cut("*", "install-info", "makes the table of contents of info pages, which are dropped"),
    Cut("*", "man-db", "shows manual pages, which are dropped"),
    Cut("*", "bash-completion", "completes words in an interactive shell"),
    Cut("*", "emacsen-common", "compiles editor modules while debs are installed"),
    Cut("*", "sensible-utils", "shell scripts that choose an editor or pager"),
    Cut("*", "ssl-cert", "makes a private key on installation, which an image must never hold"),
    Cut("*", "usrmerge", "moves the files of an unmerged system; images are laid out merged"),
    # Debs of the base system.
    Cut("base-files", "awk", "serves scripts of other Essential debs"),
    Cut("base-files", "mawk", "serves scripts of other Essential debs"),
    Cut("base-files", "gawk", "serves scripts of other Essential debs"),
    Cut("base-files", "original-awk", "serves scripts of other Essential debs"),
    Cut("ca-certificates", "openssl", "its command makes hash links on installation; they are modelled"),
    Cut("bash", "debianutils", _SHELLS),
    Cut("dash", "debianutils", _SHELLS),
    Cut("iproute2", "libcap2-bin", "its postinst sets a file capability with it"),
    # Language runtimes.
    Cut("openjdk-*", "util-linux", "its postinst asks mountpoint whether /proc is mounted"),
    Cut("nodejs", "node-corepack", "downloads package managers"),
    Cut("php-common", "psmisc", "a scheduled script looks for open session files with it"),
    Cut("git", "git-man", "holds manual pages, which are dropped"),
    Cut("octave", "texinfo", "formats the texts of its help command for a terminal"),
    # Servers.
    Cut("nginx*", "iproute2", "its init script looks for its socket with ss"),
    Cut("postgresql-[0-9]*", "postgresql-common", "Perl scripts that administer clusters of several versions"),
    Cut("postgresql-[0-9]*", "locales", "the cluster made on installation may use another locale; C.UTF-8 is built in"),
    Cut("postgresql-client-[0-9]*", "postgresql-client-common", "Perl wrappers that choose between versions"),
    Cut("postgresql-common", "perl", "only needed to administer clusters"),
    Cut("memcached", "perl", "a script that reads Debian's own configuration file, and memcached-tool"),
    Cut("apache2", "perl", "a2enmod and its like"),
    Cut("apache2", "procps", "its init script"),
    Cut("apache2-bin", "perl", "split-logfile and check_forensic"),
    Cut("mariadb-server", "mariadb-client", "checks tables after an upgrade, from the init script"),
    Cut("mariadb-server", "libdbi-perl", "mysqlhotcopy and other Perl scripts"),
    Cut("mariadb-server", "perl", "mysqlhotcopy and other Perl scripts"),
    Cut("mariadb-server", "procps", _CLUSTER),
    Cut("mariadb-server", "psmisc", "its init script"),
    Cut("mariadb-server", "gawk", _CLUSTER),
    Cut("mariadb-server", "iproute2", _CLUSTER),
    Cut("mariadb-server", "lsof", _CLUSTER),
    Cut("mariadb-server", "rsync", _CLUSTER),
    Cut("mariadb-server", "socat", _CLUSTER),
    Cut("mariadb-client", "debianutils", _SHELLS),
    Cut("mariadb-client", "perl", "mariadb-dumpslow and other Perl scripts; the clients are compiled"),
    Cut("mariadb-client", "libconfig-inifiles-perl", "mariadb-report, a Perl script"),
)

EXCLUDED = "the image excludes it"


@dataclass(frozen=True, slots=True)
class CutResult:
    """What stays and what was cut.

    Attributes:
        kept: names of the debs that stay, sorted.
        cuts: (deb, dependency, reason) of each edge that left its dependency out, sorted.
    """

    kept: tuple[str, ...]
    cuts: tuple[tuple[str, str, str], ...]


def cut(
    roots: Iterable[str],
    edges: Mapping[str, Collection[str]],
    exclude: Collection[str] = (),
    keep: Collection[str] = (),
) -> CutResult:
    """Find the debs that an image needs.

    Args:
        roots: the debs that the image names; they always stay.
        edges: deb -> the debs that satisfy its Depends and Pre-Depends.
        exclude: debs that must stay out, with what only they need.
        keep: debs whose dependencies, and on which dependencies, are not cut.

    Raises:
        AnalysisError: if a root is excluded.
    """
    wanted = dict.fromkeys(roots)
    barred, spared = frozenset(exclude), frozenset(keep) | wanted.keys()
    if both := sorted(wanted.keys() & barred):
        raise AnalysisError(f'put "{both[0]}" into the image', "contents names it, and exclude too")
    seen = set(wanted)
    cuts: list[tuple[str, str, str]] = []
    todo = list(wanted)
    while todo:
        deb = todo.pop()
        for dependency in edges.get(deb, ()):
            reason = EXCLUDED if dependency in barred else _reason(deb, dependency, keep, spared)
            if reason:
                cuts.append((deb, dependency, reason))
            elif dependency not in seen:
                seen.add(dependency)
                todo.append(dependency)
    return CutResult(tuple(sorted(seen)), tuple(sorted(edge for edge in cuts if edge[1] not in seen)))


def _reason(deb: str, dependency: str, keep: Collection[str], spared: Collection[str]) -> str:
    if deb in keep or dependency in spared:
        return ""
    rows = (*_EXACT.get(dependency, ()), *_PATTERNS)
    return next((row.reason for row in rows if _matches(row, deb, dependency)), "")


def _matches(row: Cut, deb: str, dependency: str) -> bool:
    return fnmatchcase(deb, row.deb) and fnmatchcase(dependency, row.dependency)


_PATTERNS = tuple(row for row in CUTS if any(mark in row.dependency for mark in "*?["))
_EXACT: dict[str, tuple[Cut, ...]] = {}
for _row in CUTS:
    if _row not in _PATTERNS:
        _EXACT[_row.dependency] = (*_EXACT.get(_row.dependency, ()), _row)
