"""What is started in an image: words, environment and platform in, whether a kernel could start it out.

Source: execve(2), OCI image-spec config.md; the search in PATH is execvp(3)'s, in the image's own environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from distroless_rules.closure.view import View
from distroless_rules.values.tree import Kind

__all__ = ["Problem", "Program", "of_script"]

_ABIS = {
    "amd64": ("EM_X86_64", 64, False),
    "arm64": ("EM_AARCH64", 64, False),
    "386": ("EM_386", 32, False),
    "arm": ("EM_ARM", 32, False),
    "riscv64": ("EM_RISCV", 64, False),
    "ppc64le": ("EM_PPC64", 64, False),
    "s390x": ("EM_S390", 64, True),
    "loong64": ("EM_LOONGARCH", 64, False),
    "mips64le": ("EM_MIPS", 64, False),
}
_SPLIT = re.compile(r"-[iv0]*S ?|--split-string[= ]")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a program cannot be started.

    Attributes:
        sentence: to be read after its path.
        advice: what would be right, where it is not that something is added to the image.
        instead: what would be right as well as that.
    """

    sentence: str
    advice: str = ""
    instead: str = ""


def of_script(lost: str) -> Problem:
    """Say what is wrong with a script whose interpreter is not there; the advice is empty if it should be added."""
    sentence = f'is a script for "{lost.encode("unicode_escape").decode("ascii")}"'
    if "\r" in lost:
        return Problem(sentence, 'let its lines end in "\\n" alone, as a kernel takes "\\r" for a part of the name')
    if " " in lost:
        return Problem(sentence, "say env -S, as a kernel does not split what follows the path")
    return Problem(sentence)


def _shebang(script: str) -> tuple[str, str]:
    words = re.split("[ \t]+", script, maxsplit=1)
    return words[0], words[1] if len(words) > 1 else ""


@dataclass(frozen=True)
class Program:
    """What an image starts.

    Attributes:
        platform: ``linux/amd64``.
        words: the entrypoint and its arguments, then cmd; empty for an image that starts nothing.
        env: environment variables.
        workdir: the folder that it starts in.
        volumes: folders whose content comes from outside, without the first slash.
    """

    platform: str
    words: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    volumes: tuple[str, ...] = ()

    @property
    def abi(self) -> tuple[str, int, bool]:
        """What its ELF files are for (``Elf.abi``)."""
        return _ABIS.get(self.platform.split("/")[1], ("", 0, False))

    @property
    def library_path(self) -> tuple[str, ...]:
        """The folders of LD_LIBRARY_PATH."""
        return tuple(part for part in self.env.get("LD_LIBRARY_PATH", "").replace(";", ":").split(":") if part)

    @property
    def search_path(self) -> tuple[str, ...]:
        """The folders of PATH."""
        return tuple(self.env.get("PATH", _PATH).split(":"))

    def path(self, view: View) -> str | None:
        """Give the path of what is started, as it is named; None if nothing is, or there is no such file."""
        return self._look_up(view, self.words[0]) if self.words else None

    def _look_up(self, view: View, word: str) -> str | None:
        if "/" in word:
            path = word if word.startswith("/") else f"{self.workdir}/{word}"
            return path if view.at(path) is not None else None
        for folder in self.search_path:
            entry = view.at(f"{folder}/{word}")
            if entry is not None and entry.kind is Kind.FILE and entry.mode & 0o111:
                return f"{folder}/{word}"
        return None

    def lost_interpreter(self, view: View, script: str) -> str:
        """Give the interpreter that a ``#!`` line asks for and that is not there, ``""`` if all is.

        Args:
            view: the image's files.
            script: what stands after ``#!`` (``Facts.script``).

        Source: execve(2): what follows the interpreter's path is one argument; env(1): ``-S`` splits it.
        """
        path, argument = _shebang(script)
        if not path:
            return ""
        entry = view.at(path)
        if entry is None or entry.kind is not Kind.FILE or not entry.mode & 0o111:
            return path
        if path.rpartition("/")[2] != "env":
            return ""
        split = _SPLIT.match(argument)
        words = argument[split.end() :].split() if split else [argument]
        named = next((word for word in words if not word.startswith("-") and "=" not in word), "")
        return named if named and self._look_up(view, named) is None else ""

    def problem(self, view: View) -> Problem | None:
        """Say why the program could not be started, None if it could."""
        path = self.path(view)
        if not self.words or not self.words[0] or (path is None and self._is_mounted(self.words[0])):
            return None
        if path is None:
            return Problem("is what the image starts, and is not in it", instead="correct entrypoint")
        real = view.real(path) or ""
        entry = view.entries.get(real)
        if entry is None or entry.kind is not Kind.FILE:
            return Problem("is what the image starts, and is a folder", "correct entrypoint")
        if not entry.mode & 0o111:
            sentence = f"is what the image starts, and is not executable (mode {entry.mode:04o})"
            return Problem(sentence, 'put it there with mode = "0755", or start it by its interpreter in entrypoint')
        return self._unreadable(view, real)

    def _unreadable(self, view: View, real: str) -> Problem | None:
        facts = view.facts(real)
        if facts is None:
            sentence = "is what the image starts, and is neither an ELF file nor a script with a #! line"
            return Problem(sentence, "begin it with #! and the path of its interpreter")
        if facts.broken:
            return Problem(f"is what the image starts, and {facts.broken}", "see how it was made")
        if facts.elf is not None and facts.elf.abi != self.abi:
            machine = facts.elf.machine.removeprefix("EM_")
            return Problem(f"is what the image starts, and is for {machine}, not {self.platform}", "build it for that")
        lost = self.lost_interpreter(view, facts.script) if facts.script else ""
        if not lost:
            return None
        found = of_script(lost)
        return replace(found, sentence=f"is what the image starts, and {found.sentence}")

    def _is_mounted(self, word: str) -> bool:
        return any(word.strip("/").startswith(f"{volume}/") for volume in self.volumes)
