"""Labels become targets: rules, source files, generated files and debs; with who may see them."""

from __future__ import annotations

from collections.abc import Collection

from distroless_rules.errors import AnalysisError, DistrolessError, LoadError, did_you_mean
from distroless_rules.loading.loader import BUILTIN_REPO, Loader
from distroless_rules.loading.package import Declared, Package
from distroless_rules.targets import visibility
from distroless_rules.targets.target import Kind
from distroless_rules.values.label import Label

__all__ = ["Resolver", "is_core", "located"]


class Resolver:
    """Finds what labels mean in one workspace.

    Args:
        loader: gives packages.
        archives: the archives that ``@name//`` may name.
    """

    def __init__(self, loader: Loader, archives: Collection[str]) -> None:
        self.loader = loader
        self._archives = archives

    def find(self, label: Label, user: Label | None = None) -> tuple[Kind, Declared | None]:
        """Give what a label means, and the declared target: of a generated file the one that makes it.

        Args:
            label: the label.
            user: the target that names it, if one does; a hint is written as it would write it.

        Raises:
            AnalysisError: if there is nothing of that name.
            LoadError: if its package cannot be loaded.
        """
        if label.repo in self._archives:
            return Kind.DEB, None
        if label.repo not in ("", BUILTIN_REPO):
            hint = did_you_mean(label.repo, [*self._archives, BUILTIN_REPO])
            hint = hint or f"declare [archive.{label.repo}] in distroless.toml"
            raise AnalysisError(f'resolve "{label}"', f'there is no archive "{label.repo}"', hint=hint)
        package = self._package(label)
        declared = package.targets.get(label.name)
        if declared:
            return Kind.RULE, declared
        maker = package.outputs.get(label.name)
        if maker:
            return Kind.OUTPUT, maker
        self._inside(label)
        if self.loader.files_of(label.repo).is_file(label.path):
            return Kind.SOURCE, None
        raise AnalysisError(f'resolve "{label}"', "no such target or file", hint=self._similar(package, label, user))

    def declared(self, label: Label) -> Declared:
        """Give the rule target of a label.

        Raises:
            AnalysisError: if it is something else.
        """
        kind, declared = self.find(label)
        if kind is not Kind.RULE or declared is None:
            raise AnalysisError(f'use "{label}"', f"it is a {kind.value}, not a target of a rule")
        return declared

    def check_visible(self, user: Label, label: Label, kind: Kind, declared: Declared | None) -> None:
        """Check that the package of ``user`` may depend on what ``label`` means.

        Raises:
            AnalysisError: if it may not.
        """
        if user.repo == label.repo and user.package == label.package:
            return
        if kind is Kind.DEB or label.repo == BUILTIN_REPO:
            return
        package = self.loader.package(label.repo, label.package)
        if kind is Kind.SOURCE:
            if label.name not in package.exports:
                self._invisible(user, label, f'exports_files(["{label.name}"]) in {package.file} would allow it')
            who = package.exports[label.name]
            labels = (visibility.PUBLIC,) if who is None else who
        else:
            assert declared is not None
            labels = declared.visibility if declared.visibility is not None else package.default_visibility
        try:
            visible = visibility.allowed(user.package, label, labels, self._group)
        except DistrolessError as error:
            if error.at is None and declared is not None:
                error.at = self.loader.refined(declared, attribute="visibility")
            raise
        if not visible:
            granted = ", ".join(f'"{text}"' for text in labels) or "its own package only"
            self._invisible(user, label, f"it is visible to {granted}")

    def _group(self, label: Label) -> Declared:
        try:
            return self.declared(label)
        except AnalysisError as error:
            hint = f'write "//{label.package}:__pkg__" for one package'
            raise AnalysisError(f'read the visibility "{label}"', error.cause, hint=hint) from error

    def _invisible(self, user: Label, label: Label, hint: str) -> None:
        raise AnalysisError(f'use "{label}"', f'it is not visible to package "//{user.package}"', hint=hint)

    def _package(self, label: Label) -> Package:
        files = self.loader.files_of(label.repo)
        if not files.is_package(label.package):
            above = self._package_above(label)
            hint = f'did you mean "{above}"?' if above else self._similar_package(label)
            where = f"{label.package}/{files.build_file}" if label.package else files.build_file
            raise AnalysisError(f'resolve "{label}"', f"there is no file {where}", hint=hint)
        return self.loader.package(label.repo, label.package)

    def _package_above(self, label: Label) -> str:
        """Give the right label for a file below a folder that is no package, or a target without its colon."""
        files = self.loader.files_of(label.repo)
        folder = label.package
        while folder:
            folder = folder.rpartition("/")[0]
            if files.is_package(folder) and files.is_file(label.path):
                return str(Label(label.repo, folder, label.path[len(folder) :].lstrip("/")))
        above, _, last = label.package.rpartition("/")
        if last == label.name and files.is_package(above) and last in self.loader.package(label.repo, above).targets:
            return str(Label(label.repo, above, last))
        return ""

    def _similar_package(self, label: Label) -> str:
        close = did_you_mean(label.package, [name for name in self.loader.packages("", label.repo) if name])
        return close.replace('"', '"//', 1) if close else ""

    def _inside(self, label: Label) -> None:
        """Check that no folder between the package and the file is a package of its own."""
        files = self.loader.files_of(label.repo)
        parts = label.name.split("/")[:-1]
        for count in range(len(parts), 0, -1):
            folder = "/".join([part for part in (label.package, *parts[:count]) if part])
            if files.is_package(folder):
                right = Label(label.repo, folder, label.path[len(folder) + 1 :])
                raise AnalysisError(
                    f'resolve "{label}"', f'"//{folder}" is a package of its own', hint=f'did you mean "{right}"?'
                )

    def _similar(self, package: Package, label: Label, user: Label | None) -> str:
        files = self.loader.files_of(label.repo).folder(label.package).files
        close = did_you_mean(label.name, [*package.targets, *package.outputs, *files])
        inside = user is not None and (user.repo, user.package) == (label.repo, label.package)
        prefix = ":" if inside else str(Label(label.repo, label.package, ":")).removesuffix(":")
        return close.replace('"', f'"{prefix}', 1) if close else ""


def is_core(declared: Declared, rule: str) -> bool:
    """Say whether a target is of one of the rules that need no load."""
    return declared.rule.name == rule and declared.rule.repo == BUILTIN_REPO and declared.rule.package == "loading"


def located(error: DistrolessError, loader: Loader, declared: Declared, attribute: str, text: str) -> DistrolessError:
    """Give an error its place in the BUILD file, if it has none yet."""
    if error.at is None and not isinstance(error, LoadError):
        error.at = loader.refined(declared, attribute=attribute, text=text)
    return error
