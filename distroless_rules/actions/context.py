"""What ``ctx`` calls: the Python side of declaring files, actions and closures of debs, for one target at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.command import ENVIRONMENT, ROOT, Command, execution_path
from distroless_rules.actions.debs import Closure, Cut, Debs, rows
from distroless_rules.actions.graph import check_order
from distroless_rules.actions.origins import Origins
from distroless_rules.errors import AnalysisError, LabelError
from distroless_rules.targets.crossing import check_roots
from distroless_rules.targets.target import Key, Target
from distroless_rules.values.archive import Lock
from distroless_rules.values.label import Label
from distroless_rules.values.platform import Platform

__all__ = ["Context"]

_LOCAL = frozenset({"local", "no-remote", "no-remote-exec"})
"""Tags and requirements by which actions stay on this machine; Bazel's names."""


class Context:
    """Collects what rule implementations declare.

    Attributes:
        actions: every action declared, in order.
        artifacts: every file, by the number under which Starlark knows it.
        compressors: name -> the recipe that is part of every layer action's key.
        targets: what is analysed.
    """

    def __init__(self, mnemonics: frozenset[str], cut: Cut, compressors: Mapping[str, str]) -> None:
        self.compressors = dict(compressors)
        self.actions: list[Action] = []
        self.artifacts: list[Artifact] = []
        self.targets: Mapping[Key, Target] = {}
        self._mnemonics = mnemonics
        self._cut = cut
        self._numbers: dict[Artifact, int] = {}
        self._makers: dict[str, Action] = {}
        self._origins = Origins(self._makers)
        self._declared: dict[Artifact, str] = {}
        self._outputs: list[Artifact] = []
        self._begun = 0  # actions declared before the current target
        self._serials = 0
        self._key = Key(Label("", "", "nothing"))
        self._platform = ""
        self._debs: Debs | None = None

    def calls(self) -> dict[str, Any]:
        """Give the functions by the names that the prelude knows."""
        return {
            "_add_action_": self._add_action,
            "_add_run_": self._add_run,
            "_deb_closure_": self._deb_closure,
            "_deb_offers_": self._deb_offers,
            "_deb_barred_": self._deb_barred,
            "_declare_file_": lambda name, sibling, tree: json.dumps(self._declare_file(name, sibling, tree)),
            "_declared_outputs_": lambda: json.dumps([self.row(output) for output in self._outputs]),
            "_serial_": self._serial,
        }

    def lock(self, lock: Lock, default_archive: str) -> None:
        """Set what is locked, before the first target."""
        self._debs = Debs(lock, self._cut, default_archive, self._add)

    def begin(self, key: Key, platform: str) -> None:
        """Say which target's implementation runs next."""
        self._key, self._platform = key, platform
        self._outputs = []
        self._begun = len(self.actions)

    def finish(self) -> None:
        """Check that the last target's files are all made by an action, and none from itself.

        Raises:
            AnalysisError: if one is not, or is.
        """
        for artifact, owner in self._declared.items():
            if artifact.path not in self._makers:
                raise AnalysisError(
                    f'analyse "{owner}"',
                    f'its implementation declares the file "{artifact.path}", but no action makes it',
                )
        self._declared.clear()
        if self._begun < len(self.actions):
            check_order(str(self._key.label), self.actions[self._begun :])

    def source(self, label: Label) -> list[Any]:
        """Give the file of a source file's label."""
        return self.row(Artifact(Root.SOURCE, label.path, owner=str(label)))

    def output(self, name: str) -> list[Any]:
        """Declare a file that the target names as its output, and give it."""
        row = self._declare_file(name, None, tree=False)
        self._outputs.append(self.artifacts[row[0]])
        return row

    def output_of(self, maker: Key, name: str, platform: str) -> list[Any]:
        """Give a file that another target named as its output."""
        return self.row(Artifact(Root.DERIVED, _derived(maker.label, name, platform), owner=str(maker.label)))

    def row(self, artifact: Artifact) -> list[Any]:
        """Give a file as the prelude takes it."""
        number = self._numbers.get(artifact)
        if number is None:
            number = self._numbers[artifact] = len(self.artifacts)
            self.artifacts.append(artifact)
        path = execution_path(artifact)
        short = artifact.path.partition("/")[2] if artifact.root is Root.DERIVED else artifact.path
        folder, _, name = path.rpartition("/")
        extension = name.rpartition(".")[2] if "." in name else ""
        source = artifact.root is Root.SOURCE
        return [number, path, short, name, folder, extension, source, artifact.owner, artifact.tree]

    def _serial(self) -> int:
        self._serials += 1
        return self._serials

    def _declare_file(self, name: Any, sibling: int | None, tree: bool) -> list[Any]:
        if not isinstance(name, str):
            raise AnalysisError("declare a file", f"expected a name, got {name!r}")
        folder = ""
        if sibling is not None:
            folder = self.artifacts[sibling].path.rpartition("/")[0]
        try:
            Label.parse(f":{name}")
        except LabelError as error:
            raise AnalysisError(f'declare the file "{name}"', error.cause) from error
        path = f"{folder}/{name}" if folder else _derived(self._key.label, name, self._platform)
        artifact = Artifact(Root.DERIVED, path, owner=str(self._key.label), tree=tree)
        if artifact.path in self._makers or artifact in self._declared:
            raise AnalysisError(f'declare the file "{name}"', "it is declared already")
        self._declared[artifact] = str(self._key.label)
        return self.row(artifact)

    def _add_action(self, text: str) -> None:
        given = json.loads(text)
        mnemonic, inputs, outputs = given["mnemonic"], given["inputs"], given["outputs"]
        if mnemonic not in self._mnemonics:
            from distroless_rules.errors import did_you_mean

            raise AnalysisError(
                "declare an action", f'there is no tool "{mnemonic}"', hint=did_you_mean(mnemonic, self._mnemonics)
            )
        if not outputs:
            raise AnalysisError(f"declare a {mnemonic} action", "it has no outputs")
        for name, right, words in (
            ("stage", given["stage"] in ("build", "runtime"), '"build" or "runtime"'),
            ("weight", isinstance(given["weight"], int), "an integer"),
            ("progress", isinstance(given["progress"], str), "a string"),
        ):
            if not right:
                cause = f"its {name} must be {words}, not {json.dumps(given[name])}"
                raise AnalysisError(f"declare a {mnemonic} action", cause)
        self._add(
            Action(
                mnemonic=mnemonic,
                owner=str(self._key.label),
                parameters=json.dumps(given["parameters"], sort_keys=True, separators=(",", ":")),
                inputs=tuple(Named(name, self.artifacts[inputs[name]]) for name in sorted(inputs)),
                outputs=tuple(Named(name, self.artifacts[outputs[name]]) for name in sorted(outputs)),
                stage=given["stage"],
                platform=self._platform,
                progress=given["progress"] or f"{mnemonic} {self._key.label}",
                weight=given["weight"],
            )
        )

    def _add_run(self, text: str) -> None:
        given = json.loads(text)
        mnemonic = given["mnemonic"]
        doing = f"declare a {mnemonic} action"
        if not isinstance(mnemonic, str) or not mnemonic.isidentifier() or mnemonic in self._mnemonics:
            raise AnalysisError("declare an action", f'"{mnemonic}" is no mnemonic: use a word such as "CcCompile"')
        if given["log"] is not None:
            given["outputs"].append(given["log"])
        if not given["outputs"]:
            raise AnalysisError(doing, "it has no outputs")
        inputs = {execution_path(self.artifacts[number]): self.artifacts[number] for number in given["inputs"]}
        outputs = {execution_path(self.artifacts[number]): self.artifacts[number] for number in given["outputs"]}
        inputs[ROOT] = self.artifacts[given["root"]]
        if not inputs[ROOT].tree:
            raise AnalysisError(doing, f'its root "{inputs[ROOT]}" is a file', hint="a root is a build_root's tree")
        log = "" if given["log"] is None else execution_path(self.artifacts[given["log"]])
        command = Command(tuple(given["arguments"]), {**ENVIRONMENT, **given["environment"]}, given["seconds"], log)
        self._add(
            Action(
                mnemonic=mnemonic,
                owner=str(self._key.label),
                parameters=command.dump(),
                inputs=tuple(Named(name, inputs[name]) for name in sorted(inputs)),
                outputs=tuple(Named(name, outputs[name]) for name in sorted(outputs)),
                stage="build",
                platform=self._platform,
                progress=given["progress"] or f"{mnemonic} {self._key.label}",
                run=True,
                local=self._is_local(given["requirements"]),
            )
        )

    def _is_local(self, requirements: Sequence[str]) -> bool:
        """Tell whether an action must run on this machine: it says so, or its target's tags do."""
        target = self.targets.get(self._key)
        tags = target.values.get("tags") if target else ()
        return not _LOCAL.isdisjoint((*requirements, *(tags or ())))

    def _add(self, action: Action) -> None:
        for output in action.outputs:
            if output.artifact.root is not Root.DERIVED:
                raise AnalysisError(f"declare a {action.mnemonic} action", f'"{output.artifact}" is a source file')
            other = self._makers.get(output.artifact.path)
            if other is not None:
                by = f"{other.mnemonic} of {other.owner}"
                raise AnalysisError(
                    f"declare a {action.mnemonic} action", f'"{output.artifact}" is made by {by} already'
                )
            self._makers[output.artifact.path] = action
        self.actions.append(action)

    def _deb_closure(
        self,
        roots: Sequence[Sequence[str]],
        local: Sequence[int],
        exclude: Sequence[str],
        keep: Sequence[str],
        stage: str,
    ) -> dict[str, Any]:
        assert self._debs is not None
        if stage == "runtime":
            check_roots(self.targets, self._key, {(archive, name) for archive, name in roots})
        found: Closure = self._debs.closure(
            [(archive, name) for archive, name in roots],
            [self.artifacts[number] for number in local],
            exclude,
            keep,
            Platform.parse(self._platform),
        )
        return {
            "debs": rows(found.debs, self.row),
            "base": rows(found.base, self.row),
            "cuts": [list(cut) for cut in found.cuts],
        }

    def _deb_offers(self, files: Sequence[int], exclude: Sequence[str], keep: Sequence[str]) -> list[dict[str, Any]]:
        """Give the debs of the file systems that commands ran in on the way to files (see ``Debs.offers``)."""
        assert self._debs is not None
        found = self._debs.offers(self._indexes(files), exclude, keep, Platform.parse(self._platform))
        described = rows([offer.unpacked for offer in found], self.row)
        return [
            {
                "deb": row,
                "needs": list(offer.needs),
                "depends": list(offer.depends),
                "cuts": [list(cut) for cut in offer.cuts],
            }
            for row, offer in zip(described, found, strict=True)
        ]

    def _deb_barred(self, files: Sequence[int], exclude: Sequence[str], keep: Sequence[str]) -> list[str]:
        """Give the debs that are not offered because they are excluded (see ``Debs.barred``)."""
        assert self._debs is not None
        return self._debs.barred(self._indexes(files), exclude, keep, Platform.parse(self._platform))

    def _indexes(self, files: Sequence[int]) -> Iterable[Artifact]:
        """Give the indexes of the debs of the file systems that commands ran in on the way to files."""
        roots = dict.fromkeys(root for number in files for root in self._origins.roots(self.artifacts[number]))
        return dict.fromkeys(index for root in roots for index in self._origins.indexes(root))


def _derived(label: Label, name: str, platform: str) -> str:
    parts = [platform.replace("/", "-"), f"external/{label.repo}" if label.repo else "", label.package, name]
    return "/".join(part for part in parts if part)
