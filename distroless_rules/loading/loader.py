"""Loads BUILD and ``.bzl`` files: a label in, a module or a package out, each file once.

The functions that Starlark calls while a file is evaluated are here too, since all of them speak of the file that is
being evaluated now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from distroless_rules.errors import DistrolessError, LabelError, LoadError, Location, did_you_mean
from distroless_rules.loading import names, place, report
from distroless_rules.loading.attributes import OUTPUT_TYPES, a_or_an, check, schema, shown, with_labels
from distroless_rules.loading.files import WorkspaceFiles
from distroless_rules.loading.glob import glob
from distroless_rules.loading.interpreter import BUILTIN_PREFIX, Interpreter, Module
from distroless_rules.loading.names import BUILTIN_REPO, DISPATCH
from distroless_rules.loading.package import Declared, Package, Provider, Rule
from distroless_rules.loading.workspace import Workspace
from distroless_rules.values.label import Label

__all__ = ["BUILTIN_REPO", "DISPATCH", "Loader"]

_ANY_ARCHIVE = '"@default//'  # in our own packages: of the workspace's first archive
_OPEN = ("rules", "toolchains")  # packages of ours that hold files to load
_HERE = Path(__file__).parent
_CALLS = (
    "_declare_",
    "_existing_rules_",
    "_export_",
    "_exports_files_",
    "_glob_",
    "_label_",
    "_package_",
    "_package_name_",
    "_print_",
    "_provided_",
    "_repo_name_",
    "_rule_",
)
_EXPORTED = re.compile(r"^([A-Za-z]\w*) = ", re.MULTILINE)
_MESSAGES = 10_000


class Loader:
    """Evaluates files of one workspace, each once.

    Args:
        workspace: the workspace.
        files: its files.
        analysis_calls: the functions that rule implementations use, by the names that the prelude knows.
        enter: told the name of each file before it is evaluated.

    Attributes:
        rules: every rule made, by its identity.
        providers: every provider that was given a name.
        messages: what files printed.
    """

    def __init__(
        self,
        workspace: Workspace,
        files: WorkspaceFiles,
        analysis_calls: Mapping[str, Callable[..., Any]],
        enter: Callable[[str], None] = lambda file: None,
    ) -> None:
        self.workspace = workspace
        self.files = files
        self.rules: list[Rule] = []
        self._archive = next(iter(workspace.archives or {}), "")
        self.providers: list[Provider] = []
        self.messages: list[str] = []
        self.modules: dict[Label, Module] = {}
        calls = {name: getattr(self, name.rstrip("_")) for name in _CALLS}
        self.interpreter = Interpreter({**calls, **analysis_calls}, enter, self._hint)
        self._packages: dict[tuple[str, str], Package] = {}
        self._builtin_files = WorkspaceFiles(_HERE.parent, "BUILD")
        self._evaluating: list[tuple[Label, Package | None]] = []
        self._analysing: Rule | None = None
        self._builtins: dict[str, Module] = {}
        for file in (names.ARGS, names.ACTIONS, names.ATTR, names.VALUES, names.PRELUDE, names.CORE):
            source = (_HERE / file.removeprefix(BUILTIN_PREFIX)).read_text("utf-8")
            label = Label(BUILTIN_REPO, "loading", file.removeprefix(BUILTIN_PREFIX))
            self._evaluating.append((label, None))
            self.modules[label] = self._builtins[file] = self.interpreter.evaluate(
                file,
                source,
                self._builtins.__getitem__,
                self._builtins,
                before=names.FOR_CORE if file == names.CORE else "",
                after=names.collector(source) if file == names.CORE else "",
                privileged=file in (names.ACTIONS, names.PRELUDE),
            )
            self._evaluating.pop()

    # --- what others ask for

    def package(self, repo: str, name: str) -> Package:
        """Give the package in a folder, evaluating its BUILD file the first time.

        Raises:
            LoadError: if there is no BUILD file or it fails.
        """
        found = self._packages.get((repo, name))
        if found is None:
            found = self._packages[repo, name] = self._load_package(repo, name)
        return found

    def module(self, label: Label, at: Location | None = None) -> Module:
        """Give the module of a ``.bzl`` file, evaluating it the first time.

        Raises:
            LoadError: if there is no such file, it fails, or it loads itself.
        """
        found = self.modules.get(label)
        if found is None:
            found = self.modules[label] = self._load_module(label, at)
        return found

    def packages(self, below: str, repo: str = "") -> Iterator[str]:
        """Give the folders at and below ``below`` that have a BUILD file."""
        return self._of(repo).packages(below)

    def files_of(self, repo: str) -> WorkspaceFiles:
        """Give the files of a repository: the workspace's or the built-in one's."""
        return self._of(repo)

    def builtin(self, file: str) -> Module:
        """Give one of the engine's own modules, ``prelude.bzl`` or ``core.bzl``."""
        return self._builtins[BUILTIN_PREFIX + file]

    def analysing(self, rule: Rule) -> None:
        """Say whose implementation runs next: labels in it are relative to the rule's file."""
        self._analysing = rule

    def refined(self, target: Declared, *, attribute: str = "", text: str = "") -> Location:
        """Give the exact place of an attribute of a target, or of a string in it."""
        return place.of_part(self.interpreter.source(target.at.file), target.at, attribute, text)

    # --- evaluating

    def _of(self, repo: str) -> WorkspaceFiles:
        return self._builtin_files if repo == BUILTIN_REPO else self.files

    def _shown(self, repo: str, path: str) -> str:
        return f"@{repo}//{path}" if repo else path

    def _load_package(self, repo: str, name: str) -> Package:
        files = self._of(repo)
        path = f"{name}/{files.build_file}" if name else files.build_file
        source = files.read(path) if files.is_package(name) else None
        if source is None:
            cause = f"there is no {path}" if name else f"the workspace's root has no {files.build_file} file"
            raise LoadError(f'load package "{self._shown(repo, "" if repo else "//")}{name}"', cause)
        package = Package(repo, name, self._shown(repo, path))
        self._evaluate(Label(repo, name, files.build_file), package, source, package.file)
        return package

    def _load_module(self, label: Label, at: Location | None) -> Module:
        if any(label == open_ for open_, _ in self._evaluating):
            chain = [str(open_) for open_, _ in self._evaluating]
            cycle = [*chain[chain.index(str(label)) :], str(label)]
            raise LoadError(f'load "{label}"', "the files load each other: " + " -> ".join(cycle), at=at)
        try:
            source = self._of(label.repo).read(label.path)
        except LoadError as error:
            error.at = error.at or at
            raise
        if source is None:
            raise LoadError(f'load "{label}"', f"there is no file {label.path}", at=at, hint=self._similar(label))
        return self._evaluate(label, None, source, self._shown(label.repo, label.path))

    def _similar(self, label: Label) -> str:
        folder = label.path.rpartition("/")[0]
        below = label.name.rpartition("/")[0]
        files = [file for file in self._of(label.repo).folder(folder).files if file.endswith(".bzl")]
        near = [Label(label.repo, label.package, f"{below}/{file}".lstrip("/")) for file in files]
        return did_you_mean(str(label), near)

    def _evaluate(self, label: Label, package: Package | None, source: str, shown: str) -> Module:
        self._evaluating.append((label, package))
        try:
            return self.interpreter.evaluate(
                shown,
                source,
                lambda text: self._resolve_load(label, text),
                self._builtins,
                before=names.known(source, package is not None),
                after="" if package else names.collector(source),
            )
        finally:
            self._evaluating.pop()

    def _hint(self, file: str, name: str) -> str:
        exported = _EXPORTED.findall((_HERE.parent / "rules" / "defs.bzl").read_text("utf-8"))
        in_build = self._evaluating[-1][1] is not None
        return names.hint(name, in_build, self.interpreter.source(file), exported)

    def _resolve_load(self, label: Label, text: str) -> Module:
        shown = self._shown(label.repo, label.path)
        at = place.of_load(self.interpreter.source(shown), shown, text)
        if not text.endswith(".bzl"):
            raise LoadError(f'load "{text}"', 'the file\'s name must end with ".bzl"', at=at)
        if not text.startswith(("//", ":", "@")):
            hint = f'write ":{text}" or "//package:{text}"'
            raise LoadError(f'load "{text}"', "it is not a label", at=at, hint=hint)
        wanted = Label.parse(text, repo=label.repo, package=label.package, at=at)
        if wanted.repo not in ("", BUILTIN_REPO):
            hint = did_you_mean(wanted.repo, [BUILTIN_REPO])
            raise LoadError(f'load "{text}"', f'"@{wanted.repo}" holds no .bzl files', at=at, hint=hint)
        if wanted.repo and wanted.package.partition("/")[0] not in _OPEN:
            hint = f"they are in {' or '.join(f'@{wanted.repo}//{name}' for name in _OPEN)}"
            raise LoadError(
                f'load "{text}"', f"@{wanted.repo}//{wanted.package} holds no files to load", at=at, hint=hint
            )
        return self.module(wanted, at)

    # --- what Starlark calls

    @property
    def _here(self) -> Label:
        if not self._evaluating and self._analysing is not None:
            return Label(self._analysing.repo, self._analysing.package, "")
        return self._evaluating[-1][0]

    def _package_now(self, what: str) -> Package:
        package = self._evaluating[-1][1] if self._evaluating else None
        if package is None:
            raise LoadError(what, "it works only while a BUILD file is evaluated", hint="put it in a macro")
        return package

    def _rule(self, implementation: str, attributes: Mapping[str, Any], doc: str) -> int:
        if not self._evaluating:
            raise LoadError("declare a rule", "it works only while a .bzl file is evaluated")
        here = self._here
        rule = Rule(
            len(self.rules), self._shown(here.repo, here.path), here.repo, here.package, schema(attributes), doc
        )
        self.rules.append(rule)
        return rule.identity

    def _provided(self, name: str, doc: str, fields: str) -> None:
        given = json.loads(fields) or {}
        here = self._here
        named = given if isinstance(given, dict) else dict.fromkeys(given, "")
        self.providers.append(Provider(self._shown(here.repo, here.path), name, doc, named))

    def _export(self, identity: int, name: str) -> int:
        rule = self.rules[identity]
        rule.name = rule.name or name
        return identity

    def _declare(self, identity: int, text: str, stack: str) -> None:
        rule = self.rules[identity]
        package = self._package_now(f"declare {a_or_an(rule.name or 'target')}")
        if package.repo == BUILTIN_REPO and self._archive:
            text = text.replace(_ANY_ARCHIVE, f'"@{self._archive}//')
        values: dict[str, Any] = json.loads(text)
        if '"canonical"' in text:
            values = with_labels(rule.attributes, values)
        at = self.interpreter.place(stack)
        try:
            self._add(package, rule, values, at)
        except DistrolessError as error:
            if error.at is None:
                error.at = self._where(at, error)
            raise

    def _where(self, at: Location, error: DistrolessError) -> Location:
        source = self.interpreter.source(at.file)
        named = re.match(r'set "(\w+)"', error.doing)
        if named or isinstance(error, LabelError):
            return place.of_part(source, at, named[1] if named else "name")
        return place.of_call(source, at)

    def _add(self, package: Package, rule: Rule, values: dict[str, Any], at: Location) -> None:
        kind = rule.name or "target"
        if not rule.name:
            raise LoadError("declare a target", f"its rule is not assigned to a name in {rule.module}")
        name = values.pop("name", None)
        if not isinstance(name, str) or not name:
            cause = "it has no name" if name in (None, "") else f"its name must be a string, not {shown(name)}"
            raise LoadError(f"declare {a_or_an(kind)}", cause, hint='give it name = "..."')
        label = Label.parse(f":{name}", repo=package.repo, package=package.name)
        before = package.targets.get(name)
        if before:
            cause = f'the package has {a_or_an(before.rule.name)} named "{name}" already, at {before.at}'
            raise LoadError(f'declare "{label}"', cause)
        check(kind, rule.attributes, values)
        visibility = _strings("visibility", values.pop("visibility", None))
        declared = package.targets[name] = Declared(label, rule, values, at, visibility)
        self._claim(package, declared)

    def _claim(self, package: Package, declared: Declared) -> None:
        """Note the files that a target names as its outputs; no label may mean two things."""
        name = declared.label.name
        if name in package.outputs:
            maker = package.outputs[name]
            raise LoadError(f'declare "{declared.label}"', f'"{maker.label}" makes a file of that name, at {maker.at}')
        for attribute, schema_ in declared.rule.attributes.items():
            if schema_.type in OUTPUT_TYPES and declared.values.get(attribute):
                value = declared.values[attribute]
                for text in value if isinstance(value, list) else [value]:
                    file = Label.parse(f":{text.removeprefix(':')}", repo=package.repo, package=package.name)
                    other = package.outputs.get(file.name) or package.targets.get(file.name, declared)
                    if other is not declared or file.name in package.outputs:
                        cause = f'the name "{file.name}" is taken by "{other.label}" at {other.at}'
                        raise LoadError(f'set "{attribute}"', cause)
                    package.outputs[file.name] = declared

    def _glob(self, include: Any, exclude: Any, allow_empty: bool) -> list[str]:
        package = self._package_now("glob")
        wanted, unwanted = _strings("include", include) or (), _strings("exclude", exclude) or ()
        return glob(self._of(package.repo), package.name, wanted, unwanted, allow_empty)

    def _package(self, values: Mapping[str, Any]) -> None:
        package = self._package_now("call package()")
        package.default_visibility = _strings("default_visibility", values["default_visibility"]) or ()

    def _exports_files(self, names: Any, visibility: Any) -> None:
        package = self._package_now("call exports_files()")
        for name in _strings("srcs", names) or ():
            package.exports[name] = _strings("visibility", visibility)

    def _package_name(self) -> str:
        return self._here_now("package_name").package

    def _repo_name(self) -> str:
        return self._here_now("repo_name").repo

    def _here_now(self, function: str) -> Label:
        if not self._evaluating:
            raise LoadError(f"call {function}()", "an implementation has no package", hint="write ctx.label")
        return self._here

    def _existing_rules(self) -> dict[str, dict[str, Any]]:
        package = self._package_now("call existing_rules()")
        return {
            name: {"name": name, "kind": target.rule.name, **target.values} for name, target in package.targets.items()
        }

    def _label(self, text: Any) -> list[str]:
        if not isinstance(text, str):
            raise LabelError("read a label", f"expected a string, got {shown(text)}")
        label = Label.parse(text, repo=self._here.repo, package=self._here.package)
        return [label.repo, label.package, label.name, str(label)]

    def _print(self, text: str, stack: str) -> None:
        if len(self.messages) < _MESSAGES:
            self.messages.append(f"{self.interpreter.place(stack)}: {report.shortened(text)}")
        elif len(self.messages) == _MESSAGES:
            self.messages.append(f"more than {_MESSAGES} messages are printed; the rest is left out")


def _strings(name: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise LoadError(f'set "{name}"', f"expected a list of strings, got {shown(value)}")
    return tuple(value)
