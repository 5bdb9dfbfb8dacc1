"""Where suites are served and which keys sign them: apt's sources and ``distroless.toml`` in, URIs and keyrings out.

Source: sources.list(5) (one-line and deb822 styles, Signed-By), apt-transport-mirror(1), apt-key(8) for the places of
trusted keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.deb import control, openpgp
from distroless_rules.errors import ConfigError, FormatError
from distroless_rules.values.archive import Archive

__all__ = ["SuiteSource", "find"]

_SCHEMES = ("http", "https", "file", "copy")
_MIRROR_FILE = re.compile(r"mirror\+(?:file|copy):(?://)?(/.*)")
_ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)")
_FINGERPRINT = re.compile(r"(?:0x)?([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?")
_SECURITY = re.compile(r".*-security|.*/updates")
_DISTRIBUTION = re.compile(r"(?:debian|ubuntu)(?:-security|-ports)?/?")
_ARMOR_START = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


@dataclass(frozen=True, slots=True)
class SuiteSource:
    """Where a suite is served.

    Attributes:
        suite: its name.
        uris: the archive's URIs in the order in which they are tried; they may hold a user and a password.
        keyrings: files with keys that may sign it.
        keys: keys given in the text of a source, armored.
        fingerprints: when not empty, only these keys of the keyrings count.
    """

    suite: str
    uris: tuple[str, ...]
    keyrings: tuple[Path, ...]
    keys: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()

    def keyring(self) -> bytes:
        """Read the keys that may sign the suite as one binary keyring.

        Raises:
            ConfigError: if a keyring cannot be read, or there is none.
        """
        what = f"suite {self.suite}"
        contents = [*(key.encode() for key in self.keys), *(_read_keyring(path) for path in self.keyrings)]
        if not contents:
            raise ConfigError(f"check who signed {what}", "no keyring was found", hint=_KEYRING_HINT)
        keyring = openpgp.merge(contents, what)
        return openpgp.restrict(keyring, self.fingerprints, what) if self.fingerprints else keyring


_KEYRING_HINT = 'write keyring = "<path>" in its [archive] table of distroless.toml'


def _read_keyring(path: Path) -> bytes:
    try:
        return openpgp.merge([path.read_bytes()], f'keyring "{path}"')
    except OSError as error:
        raise ConfigError(f'read keyring "{path}"', error.strerror or str(error)) from error


@dataclass(frozen=True, slots=True)
class _Entry:
    """One ``deb`` source of apt's."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    signed_by: str


def find(archive: Archive, root: Path, architecture: str = "", etc: Path = Path("/etc/apt")) -> list[SuiteSource]:
    """Say where each suite of an archive is served.

    The archive's own ``uris`` come first. Without them, apt's sources are asked: one that lists the suite, or else
    one of the same distribution, and for a ``-security`` suite one that lists a ``-security`` suite if there is any.
    A signature is always needed: ``trusted=yes`` in a source has no effect.

    Args:
        archive: the archive; a relative ``keyring`` is below ``root``.
        root: the workspace.
        architecture: the Debian architecture wanted; sources for others only are left out where there is a choice.
        etc: the folder of apt's configuration.

    Returns:
        One source a suite, in the order of ``archive.suites``.

    Raises:
        ConfigError: if apt's sources are needed and name none, or are malformed.
    """
    entries = [] if archive.uris and archive.keyring else list(_entries(etc))
    entries = [e for e in entries if not architecture or architecture in (e.architectures or [architecture])] or entries
    return [_suite_source(archive, suite, root, entries, etc) for suite in archive.suites]


def _suite_source(archive: Archive, suite: str, root: Path, entries: list[_Entry], etc: Path) -> SuiteSource:
    listing = _listing(suite, archive, entries)
    uris = archive.uris or tuple(dict.fromkeys(uri for entry in listing for uri in _usable(entry.uris)))
    if not uris:
        raise ConfigError(
            f"find suite {suite} of archive {archive.name}",
            _why_none(entries, listing),
            hint=f'write uris = ["https://mirror.example/debian"] under [archive.{archive.name}] in distroless.toml',
        )
    if archive.keyring:
        return SuiteSource(suite, uris, (root / archive.keyring,))
    signed_by = next((entry.signed_by for entry in listing if entry.signed_by), "")
    if signed_by.lstrip().startswith(_ARMOR_START):
        return SuiteSource(suite, uris, (), (signed_by,))
    words = re.split(r"[,\s]+", signed_by.strip()) if signed_by else []
    paths = tuple(Path(word) for word in words if word.startswith("/"))
    fingerprints = tuple(match[1] for word in words if (match := _FINGERPRINT.fullmatch(word)))
    return SuiteSource(suite, uris, paths or _default_keyrings(etc), fingerprints=fingerprints)


def _listing(suite: str, archive: Archive, entries: list[_Entry]) -> list[_Entry]:
    """Give the entries that serve a suite: those that list it, or else the likeliest of its distribution."""
    wanted = set(archive.components)
    exact = [entry for entry in entries if suite in entry.suites]
    if exact:
        return [entry for entry in exact if wanted & set(entry.components)] or exact
    ranked = [(rank, entry) for entry in entries if (rank := _likelihood(suite, wanted, entry))]
    best = max((rank for rank, _ in ranked), default=None)
    return [entry for rank, entry in ranked if rank == best]


def _likelihood(suite: str, components: set[str], entry: _Entry) -> tuple[bool, ...]:
    """Rank an entry as the place of a suite that it does not list; empty: it cannot be."""
    known = [name for name in entry.suites if not name.endswith("/")]
    if not known or not components <= set(entry.components):
        return ()
    security = bool(_SECURITY.fullmatch(suite))
    pocket = any(security == bool(_SECURITY.fullmatch(name)) for name in known)
    if not pocket and not security:
        return ()
    stem = suite.partition("-")[0]
    return (
        any(_is_distribution(uri) for uri in _usable(entry.uris)) or "-archive-keyring" in entry.signed_by,
        pocket,
        any(name.partition("-")[0].partition("/")[0] == stem for name in known),
    )


def _is_distribution(uri: str) -> bool:
    return bool(_DISTRIBUTION.fullmatch(uri.rstrip("/").rpartition("/")[2]))


def _why_none(entries: Sequence[_Entry], listing: Sequence[_Entry]) -> str:
    if listing:
        return f"apt's sources name only URIs of kinds that are not supported ({listing[0].uris[0].partition(':')[0]}:)"
    return "no source of apt's on this machine serves it" if entries else "this machine has no apt sources"


def _usable(uris: Sequence[str]) -> Iterator[str]:
    """Give the URIs that can be fetched from, mirror lists in files replaced by what they hold."""
    for uri in uris:
        mirrors = _MIRROR_FILE.fullmatch(uri)
        if mirrors:
            yield from _mirror_list(Path(mirrors[1]))
        elif uri.partition(":")[0] in _SCHEMES:
            yield re.sub(r"\Acopy:", "file:", uri)


def _mirror_list(path: Path) -> Iterator[str]:
    lines = (line.split() for line in _read(path).splitlines() if line.strip() and not line.startswith("#"))
    priority = re.compile(r"priority:([0-9]{1,9})")

    def rank(words: list[str]) -> int:
        given = [int(match[1]) for word in words[1:] if (match := priority.fullmatch(word))]
        return given[0] if given else 10**9

    yield from _usable([words[0] for words in sorted(lines, key=rank) if not words[0].startswith("mirror+")])


def _default_keyrings(etc: Path) -> tuple[Path, ...]:
    parts = sorted(p for p in (etc / "trusted.gpg.d").glob("*") if p.suffix in (".gpg", ".asc"))
    shared = [Path("/usr/share/keyrings") / f"{name}-archive-keyring.gpg" for name in ("debian", "ubuntu")]
    return tuple(path for path in (*shared, etc / "trusted.gpg", *parts) if path.is_file())


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise ConfigError(f'read apt source "{path}"', error.strerror or str(error)) from error


def _entries(etc: Path) -> Iterator[_Entry]:
    """Give the enabled binary sources in the order in which apt reads them."""
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        if path.suffix == ".list" and path.is_file():
            yield from _one_line_entries(path)
        elif path.suffix == ".sources" and path.is_file():
            yield from _deb822_entries(path)


def _one_line_entries(path: Path) -> Iterator[_Entry]:
    for number, raw in enumerate(_read(path).splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line or line.startswith(("deb-src ", "deb-src\t")):
            continue
        match = _ONE_LINE.fullmatch(line)
        if not match:
            raise ConfigError(f'read apt source "{path}"', f'line {number}, "{line[:100]}", is malformed')
        pairs = (word.partition("=") for word in (match[1] or "").split())
        options = {key.lower(): value for key, _, value in pairs}
        yield _Entry(
            uris=(match[2],),
            suites=(match[3],),
            components=tuple(match[4].split()),
            architectures=tuple(part for part in options.get("arch", "").split(",") if part),
            signed_by=options.get("signed-by", ""),
        )


def _deb822_entries(path: Path) -> Iterator[_Entry]:
    try:
        stanzas = list(control.stanzas(_read(path), f'apt source "{path}"', comments=True))
    except FormatError as error:
        raise ConfigError(error.doing, error.cause) from error
    for fields in stanzas:
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").lower() in _NO:
            continue
        yield _Entry(
            uris=tuple(fields.get("URIs", "").split()),
            suites=tuple(fields.get("Suites", "").split()),
            components=tuple(fields.get("Components", "").split()),
            architectures=tuple(fields.get("Architectures", "").split()),
            signed_by=_signed_by(fields.get("Signed-By", "")),
        )


_NO = ("no", "false", "without", "off", "disable", "0")


def _signed_by(value: str) -> str:
    """Undo the folding of a key given in the field: each line loses its blank, and " ." is an empty line."""
    if _ARMOR_START not in value:
        return value
    lines = (line.strip() for line in value.split("\n"))
    return "\n".join("" if line == "." else line for line in lines if line) + "\n"
