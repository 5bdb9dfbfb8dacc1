"""What may import what, what a start must not pay for, and the shape that every file keeps."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import distroless_rules
from distroless_rules.storage import folder

ROOT = Path(distroless_rules.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes()) for path in FILES}
SCRIPTS = sorted(ROOT.rglob("*.bzl"))

ARROWS = {
    "__init__": "",
    "errors": "",
    "values": "errors",
    "loading": "errors values",
    "targets": "errors values loading",
    "actions": "errors values loading targets",
    "storage": "errors values",
    "tar": "errors values",
    "deb": "errors values tar",
    "elf": "errors",
    "closure": "errors values elf",
    "oci": "errors values tar",
    "comparing": "errors values deb closure oci",
    "npm": "errors values tar deb",
    "pypi": "errors values tar",
    "sandbox": "errors",
    "sbom": "values deb closure",
    "structure": "errors values tar closure oci",
    "anatomy": "errors values deb closure oci",
    "policy": "errors values elf closure oci",
    "tools": "errors values tar deb elf closure oci npm pypi sandbox sbom structure policy",
    "execution": "errors values actions storage tar sandbox tools",
    "analyzing": "values oci anatomy",
    "project": "errors values loading actions storage deb oci tools",
    "asking": "values loading targets actions project",
    "fetching": "errors values actions storage deb execution project",
    "outputs": "errors values actions storage oci execution",
    "sharing": "__init__ values storage project",
    "state": "values loading actions storage project outputs",
    "engines": "errors values actions storage execution project sharing",
    "logs": "__init__ errors values actions storage execution project outputs",
    "advising": "errors values actions storage deb elf closure project",
    "machine": "errors actions storage tools execution project fetching outputs sharing engines logs advising",
    "warned": "values actions storage",
    "explaining": "errors values loading targets actions execution project logs",
    "build": "errors values loading actions storage tools execution project outputs state logs machine warned",
    "accounting": "errors values oci sbom execution project build",
    "unreached": "errors values execution project build",
    "checking": "errors values actions deb closure oci policy execution project machine build",
    "verifying": "errors values actions storage execution project outputs state machine build",
    "why": "errors values loading targets actions deb execution project machine build",
    "testing": "errors values actions storage execution project outputs state logs machine warned build",
    "cli": (
        "__init__ errors values loading targets actions storage deb oci comparing anatomy policy execution"
        " analyzing project asking outputs logs machine explaining build accounting unreached checking verifying why"
        " testing"
    ),
    "__main__": "cli",
}
"""Each part with all that it imports, each below those that import it; one that is new needs a place here."""

ONLY_IN = {
    "starlark": {"loading/interpreter.py"},
    "networkx": {"targets/", "actions/", "anatomy/", "cli/"},
    "elftools": {"elf/"},
    "pysequoia": {"deb/"},
    "deflate": {"oci/"},
    "packaging": {"pypi/"},
    "urllib3": {"deb/", "oci/", "storage/"},
    "grpc": {"storage/channel.py", "storage/connect.py"},
    "click": {"cli/"},
    "cryptography": {"storage/signatures.py"},
    "cyclonedx": {"sbom/"},
    "license_expression": {"sbom/"},
    "packageurl": {"sbom/"},
    "spdx_tools": {"sbom/"},
    "rich": {"cli/"},
}
EXPENSIVE = (
    *("networkx", "rich", "urllib3", "pysequoia", "zstandard", "deflate", "starlark", "elftools", "grpc"),
    *("cyclonedx", "spdx_tools", "cryptography"),
)


def imported(tree: ast.AST) -> Iterator[str]:
    """Give the full names that a tree imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str:
    """Give the part of this program that a full name is in: ``distroless_rules.deb.lock`` -> ``deb``."""
    parts = name.split(".")
    return parts[1] if (ROOT / parts[1]).is_dir() or (ROOT / f"{parts[1]}.py").is_file() else "__init__"


@pytest.mark.parametrize("file", TREES)
def test_arrows_point_down(file: str) -> None:
    part = file.partition("/")[0].removesuffix(".py")
    allowed = {part, *ARROWS[part].split()}
    used = {part_of(name) for name in imported(TREES[file]) if name.split(".")[0] == "distroless_rules"}
    assert used <= allowed, f"{file} may not import {', '.join(sorted(used - allowed))}"


def test_every_arrow_is_used() -> None:
    used: dict[str, set[str]] = {part: set() for part in ARROWS}
    for file, tree in TREES.items():
        names = imported(tree)
        used[file.partition("/")[0].removesuffix(".py")] |= {
            part_of(n) for n in names if n.startswith("distroless_rules")
        }
    idle = [
        f"{part} -> {other}" for part, below in ARROWS.items() for other in below.split() if other not in used[part]
    ]
    assert not idle, "allowed, and nothing uses it"


def test_arrows_hold_no_cycle() -> None:
    for part, below in ARROWS.items():
        for other in below.split():
            assert part not in ARROWS[other].split(), f"{part} and {other} import each other"


@pytest.mark.parametrize(("library", "places"), ONLY_IN.items())
def test_libraries_stay_in_their_places(library: str, places: set[str]) -> None:
    users = {file for file, tree in TREES.items() if any(name.split(".")[0] == library for name in imported(tree))}
    strays = {file for file in users if not file.startswith(tuple(places))}
    assert not strays, f"{library} is imported by {', '.join(sorted(strays))}"


@pytest.mark.parametrize("file", TREES)
def test_private_names_stay_in_their_files(file: str) -> None:
    strays = [name for name in imported(TREES[file]) if re.search(r"\._(?!_)", name)]
    assert not strays, f"{file} imports {', '.join(strays)}"


@pytest.mark.parametrize("file", [file for file in TREES if file != "storage/folder.py"])
def test_folders_of_the_cache_are_named_once(file: str) -> None:
    names = {value for name, value in vars(folder).items() if name.isupper() and name in folder.__all__}
    assert "state" in names, "the folders have names in capitals"
    joined = [
        node.right for node in ast.walk(TREES[file]) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    ]
    strays = [part.value for part in joined if isinstance(part, ast.Constant) and part.value in names]
    assert not strays, f"{file} names {', '.join(map(str, strays))} itself"


def test_a_start_pays_for_no_expensive_import() -> None:
    code = "import sys, distroless_rules.cli.main; print(*sorted(name for name in sys.modules if '.' not in name))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "click" in ran.stdout.split(), "the list must be one of modules"
    assert set(EXPENSIVE) & set(ran.stdout.split()) == set()


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_fit_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("file", TREES)
def test_functions_fit_on_a_screen(file: str) -> None:
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{file}:{node.lineno}: {node.name} has {length} lines"


@pytest.mark.parametrize("file", TREES)
def test_everything_public_says_what_it_is(file: str) -> None:
    assert ast.get_docstring(TREES[file]), f"{file} has no docstring"
    for owner, node in public(TREES[file], ""):
        assert ast.get_docstring(node), f"{file}:{node.lineno}: {owner}{node.name} has no docstring"


def public(tree: ast.Module | ast.ClassDef, owner: str) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Give the public functions and classes of a module, and the methods of such classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield owner, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{node.name}.")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_starlark_files_say_what_they_are(script: Path) -> None:
    assert script.read_text("utf-8").startswith('"""')


@pytest.mark.parametrize("file", TREES)
def test_errors_are_neither_swallowed_nor_stripped_of_their_cause(file: str) -> None:
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.ExceptHandler):
            assert file in CATCH_ALL or not catches_all(node), f"{file}:{node.lineno}: catches whatever comes"
            for inner in ast.walk(node):
                if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
                    assert inner.cause is not None, f"{file}:{inner.lineno}: raise ... from"


CATCH_ALL = {
    "cli/main.py",  # prints what is left
    "deb/parallel.py",  # carries it to another thread
    "execution/pool.py",  # carries it to another thread
    "execution/scheduler.py",  # carries it to another thread
    "loading/guard.py",  # carries it to another process
}


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler is for every exception and does not raise it again."""
    names = [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)] if handler.type else [""]
    again = any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    return not again and any(name in ("", "Exception", "BaseException") for name in names)


@pytest.mark.parametrize("file", [file for file in TREES if not file.startswith("cli/")])
def test_only_the_command_line_prints_or_exits(file: str) -> None:
    calls = [node.func for node in ast.walk(TREES[file]) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id in ("print", "exit", "quit", "input")]
    ends = [f"{ast.unparse(call)}" for call in calls if isinstance(call, ast.Attribute)]
    assert not {"sys.exit", "sys.stdout.write", "sys.stderr.write"} & set(ends)
