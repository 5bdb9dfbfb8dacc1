"""The spine of questions: what a question names is loaded and configured, and the question is answered.

Going in: a workspace opened for a command, and a question. Going out: the answer. No lock is made, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distroless_rules.actions.evaluate import load, platform_of
from distroless_rules.loading import guard
from distroless_rules.loading.documentation import page
from distroless_rules.loading.names import BUILTIN_REPO
from distroless_rules.project import Project
from distroless_rules.targets.configuration import Configuration
from distroless_rules.targets.query import Answer, Question, answer
from distroless_rules.targets.query_debs import QueriedDebs
from distroless_rules.targets.resolve import Resolver
from distroless_rules.values.archive import Lock
from distroless_rules.values.label import Label

__all__ = ["ask", "describe"]

_OURS = (
    "rules:defs.bzl",
    "loading:core.bzl",
    *(f"toolchains:{name}.bzl" for name in ("cc", "go", "java", "node", "python", "rust")),
)


def ask(project: Project, question: Question) -> Answer:
    """Answer a question about a workspace's targets, in a child process (see ``loading.guard``).

    Raises:
        LoadError, AnalysisError, LabelError: naming the place in the workspace's files.
        LockError: if there is a lock and it cannot be read.
    """
    lock = project.read_lock() or Lock()
    archives = project.workspace.archives or {}

    def work(enter: Callable[[str], None]) -> Answer:
        loader, _ = load(project.workspace, enter, project.engine)
        resolver = Resolver(loader, archives)
        configuration = Configuration(platform_of(resolver, question.platform), question.define)
        return answer(loader, resolver, QueriedDebs(loader, archives, lock), question, configuration)

    return guard.run(work)


def describe(project: Project, labels: Sequence[Label]) -> str:
    """Describe what ``.bzl`` files offer as Markdown; what this program itself offers if none is named.

    Raises:
        LoadError: if a file is not there or fails.
    """
    wanted = labels or [Label.parse(f"@{BUILTIN_REPO}//{name}") for name in _OURS]
    return guard.run(lambda enter: page(load(project.workspace, enter, project.engine)[0], wanted))
