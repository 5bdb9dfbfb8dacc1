"""What makes an image larger and easier to misuse: programs by their names, and what only builds and people need.

Names are those that Debian's debs, and the makers of the programs, give them. A name alone makes no program: it must be
executable, and an ELF file or a script. Short names that could be anybody's count only in folders of commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation
from distroless_rules.values.tree import Kind

__all__ = ["check"]

_FOLDERS = frozenset(("bin", "sbin", "libexec", "games"))
_TRIPLET = r"(?:[a-z0-9_]+-(?:linux|w64|none)(?:-[a-z0-9]+){1,2}-)?"
_VERSION = r"(?:-?[0-9][0-9.]*)?"


@dataclass(frozen=True, slots=True)
class _Family:
    """Programs of one kind: ``names`` anywhere, ``short`` names in folders of commands; ``asked``: may be asked for."""

    check: str
    message: str
    names: re.Pattern[str]
    short: re.Pattern[str]
    asked: bool = False


def _words(text: str) -> re.Pattern[str]:
    return re.compile("|".join(text.split()) or "(?!)")


_FAMILIES = (
    _Family(
        "shell",
        "is a shell",
        _words(
            r"(?:[rl]|pf)?bash(?:-static)? dash zsh(?:-?static|-?[0-9][0-9.]*)? ksh(?:93|2020)? mksh(?:-static)? lksh"
            r" tcsh fish yash posh busybox(?:\.static)? toybox nushell elvish xonsh pwsh sash oksh loksh bsd-csh"
        ),
        _words(r"r?sh sh\.distrib ash csh rc es nu zsh5"),
    ),
    _Family(
        "package-manager",
        "is a package manager",
        _words(
            r"apt-(?:get|cache|config|key|mark|cdrom|extracttemplates|ftparchive|sortpkgs) aptitude(?:-curses)? dpkg"
            r" dpkg-(?:deb|query|split|divert|statoverride|trigger|reconfigure|preconfigure|buildpackage) dselect"
            r" rpm rpmdb rpmkeys rpm2cpio yum dnf dnf-?[35] microdnf tdnf zypper pacman opkg(?:-cl)? xbps-install"
            r" pip[0-9.]* pipx pipenv easy_install[-0-9.]* conda mamba micromamba npm pnpm pnpx yarn yarnpkg corepack"
            r" gem[0-9.]* bundler?[0-9.]* luarocks composer flatpak snapd? nix-env nix-shell brew debconf"
        ),
        _words(r"apt apk npx uv uvx poetry nix emerge guix port cpan cpanm"),
    ),
    _Family(
        "compiler",
        "only builds programs",
        _words(
            rf"{_TRIPLET}(?:gcc|g\+\+|c\+\+|cpp|gfortran|gnat|gdc|gccgo|clang|clang\+\+){_VERSION}"
            rf" {_TRIPLET}(?:ld\.(?:bfd|gold|lld|mold)|gcc-(?:ar|nm|ranlib){_VERSION}|objcopy|objdump|ranlib|readelf)"
            rf" cc1(?:plus|obj|objplus)? collect2 lto1 lto-wrapper lld{_VERSION} ld\.so-link rustc cargo rustdoc javac"
            rf" jlink jmod gofmt tcc nasm yasm cmake ninja meson autoconf automake{_VERSION} bazel scons ghc ocamlopt"
            rf" (?:llc|opt|llvm-(?:as|ld|link|ar|objcopy)){_VERSION} gmake luac[0-9.]*"
        ),
        _words(rf"{_TRIPLET}(?:as|ld|ar|nm|strip|gold) cc c[89]9 go make m4 tsc"),
    ),
    _Family(
        "debugger",
        "is a debugger or tracer",
        _words(r"gdb gdbserver gdb-multiarch lldb[-0-9.]* lldb-server strace ltrace tcpdump valgrind bpftrace dlv jdb"),
        _words(r"perf rr"),
        asked=True,
    ),
    _Family(
        "network-client",
        "is a network client",
        _words(
            r"curl wget2? netcat nc\.(?:openbsd|traditional) ncat socat telnet ssh scp sftp rsync aria2c lftp ncftp"
            r" tftp ftp nslookup dig nmap inetutils-telnet telnet\.netkit lynx links2 elinks w3m"
        ),
        _words(r"nc links host"),
        asked=True,
    ),
    _Family(
        "interpreter",
        "is an interpreter that nothing asks for",
        _words(
            r"(?:python|pypy)[0-9.]*(?:-dbg|d|m)? perl(?:5[0-9.]*(?:-.*)?)? ruby[0-9.]* (?:php|lua|luajit)[-0-9.]*"
            r" php-(?:cgi|fpm)[0-9.]* nodejs tclsh[0-9.]* wish[0-9.]* guile[-0-9.]* [gm]awk original-awk gawk-[0-9.]+"
            r" deno qjs gjs escript Rscript julia java jshell dotnet mono racket groovy elixir"
        ),
        _words(r"node bun awk nawk R erl expect bc ocaml"),
        asked=True,
    ),
)
_NUMBERED = re.compile(r"[0-9].*")  # what stands behind a program's name
_HEADER = re.compile(r"(?:.*/)?(?:include/(?:.*/)?[^/]+|[^/]+)\.(?:h|hh|hpp|hxx|h\+\+|inl|ipp|tcc)")
_INCLUDE = re.compile(r"(?:usr/(?:local/)?|opt/.*/)?include/.+")
_STATIC = re.compile(r".*\.(?:ko|ko\.debug)")
_MODULES = re.compile(r"(?:.*/)?(?:site|dist)-packages/(pip|conda|uv|poetry)/__(?:main|init)__\.py")
_NODE = re.compile(
    r"(?:.*/)?(?:usr/(?:local/)?(?:lib|share)/(?:node_modules|nodejs))/(npm|yarn|pnpm|corepack)/package\.json"
)
_DOCUMENTATION = re.compile(
    r"usr/(?:local/)?(?:share/)?(?:man|info|gtk-doc|doc-base|help)/.+|usr/(?:local/)?share/doc/.+|.*/man/man[0-9][a-z]*/.+"
)
_LICENCE = re.compile(r".*/[^/]*(?:copyright|licen[cs]e|copying|notice|authors|patents|eula|legal)[^/]*", re.IGNORECASE)
_LEFTOVER = re.compile(
    r"var/lib/apt/(?:lists|periodic)/.+|var/cache/(?:apt|debconf|apk|dnf|yum|ldconfig|man)/.+"
    r"|var/lib/dpkg/(?!status(?:\.d/.*)?$|info/.*|arch$|arch-native$|alternatives/.*|diversions$|statoverride$|triggers/.*).+-old"
    r"|var/log/(?:.*/)?(?:[^/]*\.log|dpkg|apt|bootstrap|alternatives|lastlog|faillog|wtmp|btmp)[^/]*"
    r"|(?:root|home/[^/]+)/\.(?:cache/.+|bash_history|ash_history|python_history|node_repl_history|wget-hsts|lesshst|viminfo)"
    r"|(?:root|home/[^/]+)/\.(?:npm|cargo/registry|m2/repository|gradle/caches|gem)/.+|(?:tmp|var/tmp)/.+"
)


def check(subject: Subject) -> Iterator[Violation]:
    """Give what is in an image and is not needed to run its program."""
    asked = _Asked(subject)
    for path, entry in subject.entries.items():
        if entry.kind is Kind.FILE:
            yield from _program(subject, asked, path, path)
            yield from _material(subject, path)
        elif entry.kind is Kind.SYMLINK:
            real = subject.view.real(path)
            if real is not None and real in subject.entries:
                yield from _program(subject, asked, path, real)
    yield from _managers(subject)


def _program(subject: Subject, asked: _Asked, path: str, real: str) -> Iterator[Violation]:
    """Look at the name ``path`` of the file that is at ``real``."""
    family = _family(path)
    if path == real and family is None and "shell" in subject.marked(path).kinds and subject.is_program(path):
        yield subject.of_path("shell", path, "is a shell by another name")
    if family is None or not subject.is_program(real):
        return
    if path != real and (_family(real) is family):
        return  # the file itself is a finding, or asked for
    if not family.asked or not asked.is_asked(real, is_interpreter=family.check == "interpreter"):
        other = "" if path == real else f', as it leads to "/{real}"'
        yield subject.of_path(family.check, path, f"{family.message}{other}")


def _family(path: str) -> _Family | None:
    folder, _, name = path.rpartition("/")
    is_command = folder.rpartition("/")[2] in _FOLDERS
    for family in _FAMILIES:
        if family.names.fullmatch(name) or (is_command and family.short.fullmatch(name)):
            return family
    return None


class _Asked:
    """Which programs of an image somebody asks for."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._started = frozenset(self._real(word) for word in subject.program.words[:1])
        self._names = subject.asked | {path.rpartition("/")[2] for path in self._started}
        self._interpreters: frozenset[str] | None = None

    def is_asked(self, real: str, *, is_interpreter: bool) -> bool:
        """Tell whether a target brings a program, names its deb, or starts it - itself or by ``#!``."""
        paths = (real, *self._subject.links.get(real, ()))
        if real in self._started or any(self._subject.is_asked(path) for path in paths):
            return True
        # Its deb may be another, which the one of its name needs: perl5.40.1 comes with perl.
        names = {path.rpartition("/")[2] for path in paths}
        if not self._names.isdisjoint(names | {_NUMBERED.sub("", name) for name in names}):
            return True
        return is_interpreter and real in self._needed()

    def _needed(self) -> frozenset[str]:
        """Give the interpreters of scripts that are started or that targets bring."""
        if self._interpreters is None:
            subject = self._subject
            scripts = [path for path, _ in subject.files() if path in self._started or self._is_own(path)]
            self._interpreters = frozenset(self._interpreter(path) for path in scripts)
        return self._interpreters

    def _is_own(self, path: str) -> bool:
        return self._subject.is_asked(path) and self._subject.is_program(path)

    def _interpreter(self, path: str) -> str:
        facts = self._subject.view.facts(path)
        words = facts.script.split() if facts is not None else []
        if words and words[0].rpartition("/")[2] == "env":
            named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
            return self._real(named)
        return self._real(words[0]) if words else ""

    def _real(self, word: str) -> str:
        folders = ("",) if "/" in word else self._subject.program.search_path
        found = (self._subject.view.real(f"{folder}/{word}") for folder in folders)
        return next((path for path in found if path), "")


def _material(subject: Subject, path: str) -> Iterator[Violation]:
    """Look at a file that is no program by what it is for."""
    facts = subject.view.facts(path)
    if _HEADER.fullmatch(path) or (_INCLUDE.fullmatch(path) and not facts):
        yield subject.of_path("headers", path, "is a header")
    if "archive" in subject.marked(path).kinds:
        yield subject.of_path("static-library", path, "is a static library")
    elif facts is not None and facts.elf is not None and facts.elf.kind == "rel" and not _STATIC.fullmatch(path):
        yield subject.of_path("static-library", path, "is an object file")
    if _DOCUMENTATION.fullmatch(path) and not _LICENCE.fullmatch(path):
        yield subject.of_path("documentation", path, "is documentation")
    if _LEFTOVER.fullmatch(path) and subject.entries[path].size:
        yield subject.of_path("leftover", path, "is left over from installing or building")


def _managers(subject: Subject) -> Iterator[Violation]:
    """Find package managers that an interpreter can start, without a command of their own."""
    found: dict[str, str] = {}
    for path, _ in subject.files():
        match = _MODULES.fullmatch(path) or _NODE.fullmatch(path)
        if match:
            found.setdefault(path.rpartition("/")[0], match[1])
    for folder, name in found.items():
        yield subject.of_path("package-manager", folder, f"is the package manager {name}")
