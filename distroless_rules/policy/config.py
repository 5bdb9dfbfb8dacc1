"""How an image is started: the program, its working directory, its ports."""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation
from distroless_rules.values.tree import Kind

__all__ = ["check"]

_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox")
_FIRST_FREE = 1024  # ip(7), ip_unprivileged_port_start


def check(subject: Subject) -> Iterator[Violation]:
    """Give what is wrong with how an image is started."""
    start, program = subject.config.start, subject.program
    problem = program.problem(subject.view)
    if problem is not None and not subject.is_waived_by_name(program.words[0]):
        word = program.words[0]
        path = (subject.view.real(word) or word.strip("/")) if "/" in word else ""
        told = f"/{path}" if path else "entrypoint"
        yield Violation("entrypoint", told, problem.sentence if path else f'"{word}" {problem.sentence}')
    for name, words in (("entrypoint", start.entrypoint), ("cmd", start.cmd)):
        if len(words) >= 2 and words[0].rpartition("/")[2] in _SHELLS and "-c" in words[1:3]:
            yield Violation("shell-form", name, f'starts "{words[0]}" to read a command')
    workdir = start.workdir.strip("/")
    if workdir and workdir not in program.volumes:
        entry = subject.view.at(workdir)
        real = subject.view.real(workdir)
        if real is None or (entry is not None and entry.kind is not Kind.DIRECTORY):
            yield Violation("workdir", "workdir", f'is "/{workdir}", which is {"no folder" if entry else "not there"}')
    for port in start.ports:
        number = port.partition("/")[0]
        if number.isdecimal() and 0 < int(number) < _FIRST_FREE:
            yield Violation("privileged-port", f"port {port}", "takes a capability to listen on")
