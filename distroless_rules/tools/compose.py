"""Compose: the indexes of an image's debs and its declared files in, the rows of each layer out.

Inputs: ``deb/<name>/index`` and ``deb/<name>/tree`` for every deb; ``base/<name>/index`` and ``base/<name>/tree`` for
base-files, base-passwd and libc-bin where the archive has them; ``file/<n>`` for declared files and
``certificate/<file name>`` for certificates. A tree or file is opened only when something is made of its bytes.
``build/<n>`` are indexes of debs of the build stage; ``tools.gating`` says which inputs the gate has, and
``tools.offering`` those of debs that needed libraries are taken from.
Parameters: ``deb.compose_options.Options``; ``build``, input of a folder -> for each root that commands ran in on the
way to it: who made the folder, whose root it is, and the inputs with the indexes of its debs; ``gate``, of an image
that must be able to run (``tools.gating``).

Outputs: ``recipe/NN`` for each layer of debs, ``recipe/system``, ``recipe/app``, ``generated``, ``report``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distroless_rules.closure import verdict
from distroless_rules.deb import compose_gate, compose_lay, package
from distroless_rules.deb.compose import APP, SYSTEM, Composition, Settled, Sources, compose
from distroless_rules.deb.compose_gate import Folder
from distroless_rules.deb.compose_lay import Given
from distroless_rules.deb.compose_options import FileSpec, Options
from distroless_rules.deb.compose_tree import Tree
from distroless_rules.deb.package import DebIndex
from distroless_rules.deb.prune import matcher
from distroless_rules.errors import AnalysisError, FormatError
from distroless_rules.tools import gating
from distroless_rules.tools.offering import Offers
from distroless_rules.tools.tool import InputFile, Tool, Workbench
from distroless_rules.values import tree
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Entry

__all__ = ["TOOL"]

# Nothing is made of bytes larger than this: certificates, configuration, account files.
_MAX_READ = 64 << 20
_PIECE = 1 << 20


def _perform(bench: Workbench) -> None:
    made = _composed(bench)
    for name, rows in made.recipes.items():
        shown = name if name in (SYSTEM, APP) else f"{int(name):02}"
        with bench.output(f"recipe/{shown}") as sink:
            sink.write(tree.dump(rows))
    with bench.output("generated") as sink:
        sink.write(made.generated)
    with bench.output("report") as sink:
        sink.write(json.dumps(made.report, sort_keys=True, indent=1).encode())


def _composed(bench: Workbench) -> Composition:
    """Compose, and again with the debs of the build stage that have what is lost, until nothing more is taken."""
    stated = Options.parse(bench.parameters)
    inputs = _Inputs(bench.inputs)
    keep = matcher(stated.keep, fold_usr)
    folders = inputs.folders(stated.files, bench.parameters.get("build", {}))
    offers = Offers(bench.parameters.get("offers", ()), bench.inputs)
    told = bench.parameters.get("gate")
    own = inputs.indexes("deb")
    while True:
        taken = offers.taken.values()
        options = replace(
            stated,
            libraries={each.name: each.reason for each in taken},
            cut=tuple(dict.fromkeys((*stated.cut, *(cut for each in taken for cut in each.cuts)))),
        )
        debs = {**own, **{each.name: each.index for each in taken}}
        settling = _Settling(options, told, folders, debs, bench.inputs, keep, offers)
        sources = Sources(
            debs=debs,
            base=inputs.indexes("base"),
            read=inputs.read,
            md5=inputs.md5,
            lay=inputs.lay,
            certificates=tuple((name.rpartition("/")[2], inputs.whole(name)) for name in options.ca_bundle),
            settle=settling,
        )
        made = compose(options, sources)
        if not settling.again:
            return made


@dataclass
class _Settling:
    """Looks at a composed tree: what leaked into it, what lacks, what leaves it.

    Attributes:
        again: whether debs were taken, so that all is to be composed anew.
    """

    options: Options
    told: Mapping[str, Any] | None
    folders: Sequence[Folder]
    debs: Mapping[str, DebIndex]
    inputs: Mapping[str, InputFile]
    keep: Callable[[str], bool]
    offers: Offers
    again: bool = False

    def __call__(self, tree: Tree) -> Settled:
        if self.folders:
            own = [claim.entry for claim in tree if claim.layer == APP]
            compose_gate.check(own, self.folders, self.debs.values(), self.keep)
        if self.told is None:
            return Settled()
        known = gating.read(self.inputs, self.offers.taken)
        held = gating.hold(tree, self.told, self.options, known, self.keep)
        self.again = self.offers.take(held.findings)
        if held.findings and not self.again and self.told.get("holds", True):
            raise verdict.error([finding for finding, _ in held.findings], self.told.get("excluded", ()))
        return Settled(held.dropped, held.idle)


class _Inputs:
    """The tool's inputs by what they are."""

    def __init__(self, inputs: Mapping[str, InputFile]) -> None:
        self._inputs = inputs
        self._by_hash = {file.digest.hash: file for file in inputs.values()}

    def indexes(self, kind: str) -> dict[str, DebIndex]:
        """Read the indexes of ``deb`` or ``base`` inputs, by the name of the deb."""
        found = {}
        for name, file in self._inputs.items():
            if name.startswith(f"{kind}/") and name.endswith("/index"):
                found[name[len(kind) + 1 : -len("/index")]] = package.loads(file.path.read_bytes())
        return found

    def folders(self, files: Iterable[FileSpec], told: Mapping[str, Any]) -> list[Folder]:
        """Give the folders that commands made, with the debs that they ran among."""
        return [
            Folder(spec.path, spec.label, by["by"], by["root"], tuple(self._index(name) for name in by["indexes"]))
            for spec in files
            for by in told.get(spec.input, ())
        ]

    def _index(self, name: str) -> DebIndex:
        return package.loads(self._input(name).path.read_bytes())

    def read(self, entry: Entry) -> bytes:
        """Give the bytes of a regular file."""
        if entry.size > _MAX_READ:
            raise FormatError(f'read "/{entry.path}"', f"it has {entry.size} bytes, more than {_MAX_READ}")
        return b"".join(self._pieces(entry))

    def md5(self, entry: Entry) -> str:
        """Give the MD5 of a regular file's bytes."""
        state = hashlib.md5(usedforsecurity=False)
        for piece in self._pieces(entry):
            state.update(piece)
        return state.hexdigest()

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        doing = f'read "/{entry.path}"'
        file = self._by_hash.get(entry.source)
        if file is None:
            raise FormatError(doing, f"no input has the SHA-256 {entry.source[:12]}")
        with file.path.open("rb") as stream:
            stream.seek(entry.offset)
            left = entry.size
            while left:
                piece = stream.read(min(left, _PIECE))
                if not piece:
                    raise FormatError(doing, "its archive ends before it does")
                yield piece
                left -= len(piece)

    def whole(self, name: str) -> bytes:
        """Give the bytes of an input by its name."""
        file = self._input(name)
        return self.read(Entry(name, tree.Kind.FILE, 0, size=file.digest.size, source=file.digest.hash))

    def lay(self, spec: FileSpec) -> list[Entry]:
        """Give the entries of a declared path."""
        file = self._input(spec.input) if spec.input else None
        return compose_lay.lay(spec, Given(file.path, file.digest) if file else None)

    def _input(self, name: str) -> InputFile:
        file = self._inputs.get(name)
        if file is None:
            raise AnalysisError("compose the image", f'there is no input "{name}"')
        return file


TOOL = Tool("Compose", "23", _perform)
