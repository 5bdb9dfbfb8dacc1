"""What the maintainer scripts of an image's debs do, and which of them nobody has modelled.

In come the debs and the tree; out come acts by deb (``script_commands``), and for each script that does something
unknown the deb, the script and the command. No script is run. Source: Debian policy 4.7 chapter 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distroless_rules.deb.compose_tree import Tree
from distroless_rules.deb.effects.script_commands import Act, Unmodelled, acts
from distroless_rules.deb.effects.script_system import ImageSystem
from distroless_rules.deb.effects.scripts_known import known
from distroless_rules.deb.effects.shell_parse import parse
from distroless_rules.deb.effects.shell_walk import Command, walk
from distroless_rules.deb.package import DebIndex
from distroless_rules.errors import FormatError

__all__ = ["Finding", "Review", "review"]

# What dpkg calls on a first installation, in order; config only asks, prerm and postrm belong to removal.
_CALLS = (("preinst", ("install",)), ("postinst", ("configure", "")))
_SHELLS = ("sh", "bash", "dash")


@dataclass(frozen=True, slots=True)
class Finding:
    """A command in a script whose effect is not modelled."""

    deb: str
    script: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.script} of {self.deb}, line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Review:
    """What the scripts do: (deb, act) in order of the debs' names, and what is not known."""

    acts: tuple[tuple[str, Act], ...]
    findings: tuple[Finding, ...]


def review(debs: Mapping[str, DebIndex], tree: Tree, architecture: str) -> Review:
    """Read the scripts of the debs.

    Args:
        debs: the debs of the image.
        tree: their files; tests like ``[ -e /etc/x ]`` are answered by it.
        architecture: Debian's name of the one that the image is for.
    """
    reader = _Reader(ImageSystem(tree), architecture)
    for name in sorted(debs):
        if not known(name):
            for script, arguments in _CALLS:
                if text := debs[name].scripts.get(script):
                    reader.read(name, script, text, arguments)
    return Review(tuple(reader.acts), tuple(dict.fromkeys(reader.findings)))


class _Reader:
    """The scripts read so far, and what they do."""

    def __init__(self, system: ImageSystem, architecture: str) -> None:
        self._system = system
        self._architecture = architecture
        self.acts: list[tuple[str, Act]] = []
        self.findings: list[Finding] = []

    def read(self, deb: str, script: str, text: str, arguments: tuple[str, ...]) -> None:
        """Read one script, called with these arguments."""
        first = text.partition("\n")[0]
        if not first.startswith("#!") or not any(word.rpartition("/")[2] in _SHELLS for word in first[2:].split()):
            what = first[2:].strip() if first.startswith("#!") else "no shell"
            self.findings.append(Finding(deb, script, 1, f"it is written for {what}"))
            return
        variables = {
            "DPKG_ROOT": "",
            "DPKG_ADMINDIR": "/var/lib/dpkg",
            "DPKG_MAINTSCRIPT_PACKAGE": deb,
            "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
            "DPKG_MAINTSCRIPT_ARCH": self._architecture,
            "DPKG_MAINTSCRIPT_NAME": script,
            "DEBIAN_FRONTEND": "noninteractive",
        }
        system = self._system
        system.deb, system.script = deb, script
        try:
            walk(parse(text), variables, arguments, system.exists, lambda command: self._take(deb, script, command))
        except FormatError as error:
            self.findings.append(Finding(deb, script, 1, error.cause))

    def _take(self, deb: str, script: str, command: Command) -> None:
        try:
            done = list(acts(command, self._system))
        except Unmodelled:
            self.findings.append(Finding(deb, script, command.line, " ".join(command.text.split())[:120]))
            return
        for act in done:
            self._system.took(act)
            self.acts.append((deb, act))
