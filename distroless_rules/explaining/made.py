"""One build of one target as ``explain`` compares it: every action that it needed, with the digests that went through.

Going in: the logs of builds, of this machine or of another. Going out: values, actions in an order in which producers
come before consumers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from distroless_rules.actions.artifact import Root
from distroless_rules.actions.declared import Declarations
from distroless_rules.errors import FormatError, RequestError
from distroless_rules.logs.kept import kept as logs
from distroless_rules.logs.log import Entry, Log, ordered
from distroless_rules.project import Project
from distroless_rules.values.digest import Digest

__all__ = ["Made", "history", "made_of"]


@dataclass(frozen=True)
class Made:
    """A build of a target.

    Attributes:
        target: its label.
        digest: ``sha256:<hex>`` of the image, of the file, or of the list of its files.
        time: when, seconds since 1970.
        platform: what was asked for; a label of a platform as it was written.
        define: values for ``config_setting``.
        actions: what it needed, producers before consumers.
        wanted: paths of the artifacts that its digest is of.
        sources: path of each source file -> digest.
        declared: what the actions follow from, reduced to what the target needs.
        program: the version of this program.
    """

    target: str
    digest: str
    time: float
    platform: str
    define: Mapping[str, str]
    actions: tuple[Entry, ...]
    wanted: tuple[str, ...]
    sources: Mapping[str, Digest]
    declared: Declarations = field(default_factory=Declarations)
    program: str = ""

    def same(self, other: Made) -> bool:
        """Tell whether two builds are one but for when, and from where, its parts were made."""
        return self._core() == other._core()

    def _core(self) -> tuple[object, ...]:
        actions = [(entry.action, entry.inputs, entry.outputs, entry.version, entry.form) for entry in self.actions]
        return (replace(self, time=0.0, actions=()), actions)


def history(project: Project, target: str, most: int = 2) -> list[Made]:
    """Give the last builds of a target that differ from each other in something, the newest first.

    Args:
        project: the workspace.
        target: a label; the first build that made a target with this label is the newest.
        most: how many.
    """
    found: list[Made] = []
    content = ""
    for kept in logs(project):
        if len(found) == most:
            break
        with suppress(FormatError, RequestError):  # one that is damaged, or gone by now
            head = kept.head()
            if head.ending != "done" or all(each.label != target for each in head.made):
                continue
            if found and head.content == content:
                found[-1] = replace(found[-1], time=head.time)
                continue
            made = made_of(kept.read(), target)
            content = head.content
            if not found or not made.same(found[-1]):
                found.append(made)
            else:
                found[-1] = replace(found[-1], time=made.time)  # the first of builds that are the same
    return found


def made_of(log: Log, target: str) -> Made:
    """Give what a build made a target of.

    Args:
        log: the build.
        target: the label of a target that it made.
    """
    head = log.head
    wanted = next(each for each in head.made if each.label == target)
    actions = ordered((entry for entry in log.actions if entry.outputs), (*wanted.wanted, *wanted.files))
    made = {named.artifact.path for entry in actions for named in entry.action.outputs}
    used = {n.artifact.path for each in actions for n in each.action.inputs if n.artifact.root is Root.SOURCE}
    used |= {path for path in wanted.files if path not in made}
    return Made(
        target=target,
        digest=wanted.digest,
        time=head.time,
        platform=head.platform,
        define=head.define,
        actions=actions,
        wanted=wanted.wanted,
        sources={path: log.sources[path] for path in sorted(used) if path in log.sources},
        declared=reduced(log.declared, target),
        program=head.program,
    )


def reduced(declared: Declarations, target: str) -> Declarations:
    """Give what one target follows from: those that it needs, itself included."""
    rows = declared.targets
    needed: set[int] = set()
    waiting: list[int] = [number for number, row in enumerate(rows) if row.label == target]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += rows[number].deps
    order: Sequence[int] = sorted(needed)
    numbers = {number: at for at, number in enumerate(order)}
    targets = tuple(replace(rows[n], deps=tuple(numbers[dep] for dep in rows[n].deps)) for n in order)
    return replace(declared, targets=targets)
