"""Files that mean harm: each ends in one ordinary error that names it, soon, with little memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from distroless_rules.actions import evaluate
from distroless_rules.errors import InternalError
from distroless_rules.loading import guard, interpreter
from distroless_rules.loading.files import MAX_BYTES, WorkspaceFiles
from distroless_rules.loading.glob import glob
from distroless_rules.values.archive import Lock
from distroless_rules.values.label import Pattern
from distroless_rules.values.request import Request
from tests.support.process import become_nobody, in_child
from tests.support.workspace import ENGINE, fails, messages, workspace

MEMORY = 1 << 30
LOOP = "it runs for more than 0.5 seconds of processor time; is there an endless loop?"
RECURSION = "calls are nested more than 150 deep; is there an endless recursion?"
CRASH = "it crashes the interpreter: something in it is nested too deeply"
MEMORY_GONE = "it needs more than 1024 MiB of memory"
UNINTERRUPTIBLE = "it takes more than 1 seconds of processor time; is there an endless loop?"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(interpreter, "CPU_SECONDS", 0.5)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 20


def evaluated(
    files: str | Mapping[str, str | bytes],
    spoil: Callable[[Path], object] = lambda root: None,
    cpu_seconds: float = 1.0,
) -> str:
    """Give the error of analysing everything in a workspace that ``spoil`` may still change."""
    with workspace(files if isinstance(files, str) else dict(files)) as space:
        spoil(space.root)
        request = Request((Pattern.parse("//..."),), "linux/amd64")
        return fails(
            lambda: guard.run(
                lambda enter: evaluate._evaluate(space, Lock(), request, ENGINE, enter),
                cpu_seconds=cpu_seconds,
                memory=MEMORY,
            )
        )


def test_the_limits_let_ordinary_files_pass() -> None:
    assert messages("print([x for x in range(100000)][-1])") == "BUILD:1: 99999"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "def f():\n    for i in range(1 << 30):\n        for j in range(1 << 30):\n            pass\nf()",
            f"BUILD:3:9: cannot evaluate BUILD: {LOOP}",
        ),
        ("[i for i in range(1 << 30) if i < 0]", f"cannot evaluate BUILD: {LOOP}"),
        ("[glob(['**']) for i in range(1 << 30)]", f"cannot evaluate BUILD: {LOOP}"),
        ("[print('x' * 9999) for i in range(1 << 30)]", f"cannot evaluate BUILD: {LOOP}"),
        ("[filegroup(name = 'a%d' % i) for i in range(1 << 30)]", f"cannot evaluate BUILD: {LOOP}"),
        ("def f(g, n):\n    return g(g, n + 1)\nf(f, 0)", f"BUILD:2:12: cannot evaluate BUILD: {RECURSION}"),
        ("(lambda f: f(f))(lambda f: f(f))", f"BUILD:1:28: cannot evaluate BUILD: {RECURSION}"),
    ],
    ids=["for", "comprehension", "glob", "print", "targets", "recursion", "lambda"],
)  # fmt: skip
def test_endless_work(text: str, error: str) -> None:
    found = evaluated(text)
    assert found.startswith("BUILD:")
    assert found.endswith(error)


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    for i in range(60):\n        x = x * x\nf(3)",
        "def f(x):\n    for i in range(400000):\n        x[i * (1 << 32)] = 1\nf({})",
    ],
    ids=["large integers", "keys with one hash"],
)
def test_work_that_the_interpreter_does_not_interrupt(text: str) -> None:
    assert evaluated(text).endswith((f"cannot evaluate BUILD: {UNINTERRUPTIBLE}", f"cannot evaluate BUILD: {LOOP}"))


_DEEPER = "def f(x):\n    for i in range(200000):\n        x = {}\n    return x\n"
NESTED = {
    "list": "x = " + "[" * 5000 + "]" * 5000,
    "deep list": "x = " + "[" * 100_000 + "]" * 100_000,
    "dictionary": "x = " + '{"a":' * 100_000 + "1" + "}" * 100_000,
    "plus": "x = " + "1+" * 200_000 + "1",
    "not": "x = " + "not " * 200_000 + "1",
    "minus": "x = " + "-" * 200_000 + "1",
    "dots": "x = a" + ".b" * 200_000,
    "calls": "x = a" + "()" * 200_000,
    "conditions": "x = " + "1 if 1 else " * 100_000 + "1",
    "lambdas": "x = " + "lambda: " * 100_000 + "1",
    "blocks": "".join(" " * depth + "if True:\n" for depth in range(3000)) + " " * 3000 + "pass",
    "text of a list": _DEEPER.format("[x]") + "str(f([]))",
    "hash of a tuple": _DEEPER.format("(x,)") + "{f(()): 1}",
    "value of an attribute": _DEEPER.format("{'a': x}") + "filegroup(name = 'a', srcs = [f({})])",
    "select in select": _DEEPER.format("select({'//conditions:default': x})") + "filegroup(name = 'a', srcs = f([]))",
    "json": _DEEPER.format("[x]") + "json.encode(f([]))",
}  # fmt: skip


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_deep_nesting(text: str) -> None:
    assert evaluated(text) == f"cannot evaluate BUILD: {CRASH}"


def test_a_file_that_crashes_is_named_even_if_another_loads_it() -> None:
    text = f'load("//lib:deep.bzl", "x")\n-- lib/deep.bzl --\n{NESTED["list"]}\n'
    assert evaluated(f"-- BUILD --\n{text}") == f"cannot evaluate lib/deep.bzl: {CRASH}"


def test_a_list_that_holds_itself() -> None:
    text = "def f(x):\n    x.append(x)\n    return x\nprint(f([]))\nfilegroup(name = 'a', srcs = f([]))"
    assert evaluated(text).startswith("BUILD:5:1: cannot evaluate BUILD: Cycle detected")


@pytest.mark.parametrize(
    "text",
    [
        "x = 'a' * 2000000000",
        "x = [0] * 2000000000",
        "def f(x):\n    for i in range(60):\n        x = x + x\nf('a')",
        "def f(x):\n    for i in range(60):\n        x = x + x\nf([1])",
        "x = ('a' * 1000000).replace('a', 'a' * 1000000)",
        "x = ('a' * 1000000).join(['b'] * 1000000)",
        "x = list(range(1 << 30))",
    ],
    ids=["string", "list", "string doubling", "list doubling", "replace", "join", "range"],
)
def test_huge_values(text: str) -> None:
    ends = [f"cannot evaluate BUILD: {end}" for end in (MEMORY_GONE, LOOP, UNINTERRUPTIBLE)]  # what is reached first
    assert evaluated(text).endswith(tuple(ends))


def test_a_huge_message_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "CPU_SECONDS", 10.0)
    error = f"BUILD:1:1: cannot evaluate BUILD: {'a' * 10000}... (10000000 characters)"
    assert evaluated("fail('a' * 10000000)", cpu_seconds=10.0) == error
    assert len(messages("print('a' * 10000000)")) < 10100
    assert len(messages("[print(x) for x in range(20000)]").splitlines()) == 10001


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"x = 1\n# " + b"a" * MAX_BYTES, "cannot read BUILD: it is larger than 8 MiB"),
        (b"x = '" + b"a" * (MAX_BYTES - 100), "BUILD:1:5: cannot parse BUILD: unfinished string literal"),
        (b"\0" * 1000, r'BUILD:1:1: cannot parse BUILD: invalid input "\x00"'),
        (b"x = 1\ny = '\xff'", "BUILD:2:6: cannot read BUILD: the byte 0xff is not UTF-8"),
        (b"\xff\xfex\0 \0", "BUILD:1:1: cannot read BUILD: the byte 0xff is not UTF-8"),
        (b"x = 1\r", 'BUILD:1:6: cannot parse BUILD: invalid input "\\x0d"'),
        (b"filegroup(name = 'a\0b')", None),
        (b"\x7fELF\x02\x01\x01", r'BUILD:1:1: cannot parse BUILD: invalid input "\x7f"'),
    ],
    ids=["large", "one long line", "NUL", "not UTF-8", "UTF-16", "carriage return", "NUL in a name", "a program"],
)  # fmt: skip
def test_bytes(data: bytes, error: str | None) -> None:
    found = evaluated({"BUILD": data})
    assert "\0" not in found
    if error is None:
        assert found.startswith(r'BUILD:1:11: cannot read label ":a\u0000b": the name ')
    else:
        assert found == error


def test_a_byte_order_mark_and_other_line_ends_do_no_harm() -> None:
    assert messages({"BUILD": b"\xef\xbb\xbfprint(1)\r\nprint(2)\r\n"}) == "BUILD:1: 1\nBUILD:2: 2"


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda path: path.mkdir(), "it is not a regular file"),
        (lambda path: os.mkfifo(path), "it is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
    ],
    ids=["folder", "pipe", "device", "link to itself"],
)
def test_what_is_no_file(spoil: Callable[[Path], object], cause: str) -> None:
    text = {"BUILD": 'load(":a.bzl", "x")'}
    assert evaluated(text, lambda root: spoil(root / "a.bzl")).endswith(f"cannot read a.bzl: {cause}")
    assert evaluated({"a": ""}, lambda root: spoil(root / "BUILD")) == (
        'cannot find targets of "//...": no folder there has a BUILD file'
    )


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("a/x.bzl", "BUILD:1:6: cannot read a/x.bzl: Permission denied"),
        (
            "a",
            "cannot read the folder a: Permission denied; "
            'name it in "ignore" of [workspace] in distroless.toml if it holds no packages',
        ),
    ],
)
def test_what_must_not_be_read(path: str, error: str) -> None:
    def as_a_user() -> str:
        if os.getuid() == 0:
            become_nobody()
        text = {"BUILD": 'load("//a:x.bzl", "x")', "a/x.bzl": ""}
        return evaluated(text, lambda root: (root / path).chmod(0))

    assert in_child(as_a_user) == error


def test_folders_nested_as_deep_as_they_can_be(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1800):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    (tmp_path / "BUILD").write_text("")
    files = WorkspaceFiles(tmp_path, "BUILD")
    assert list(files.packages("")) == [""]
    assert glob(files, "", ["**"], [], True) == ["BUILD"]
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # what cleans up after tests cannot


def test_a_link_in_a_circle_hides_nothing_else() -> None:
    def spoil(root: Path) -> None:
        (root / "x").symlink_to("y")
        (root / "y").symlink_to("x")

    assert evaluated("fail(glob(['**']))", spoil) == 'BUILD:1:1: cannot evaluate BUILD: ["BUILD", "distroless.toml"]'


RULE = """
-- BUILD --
load(":d.bzl", "r")
r(name = "a")
-- d.bzl --
def _r(ctx):
    {}
r = rule(implementation = _r)
"""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            "x = [0 for i in range(1 << 30) if not [0 for j in range(1 << 30) if j < 0]]",
            f'BUILD:2:1: cannot analyse "//:a": {LOOP} (in d.bzl:2:73)',
        ),
        ("_ = ['a' * n for n in [2000000000]]", f'cannot evaluate d.bzl for "//:a": {MEMORY_GONE}'),
        (
            "x = []\n    for i in range(200000):\n        x = [x]\n    str(x)",
            f'cannot evaluate d.bzl for "//:a": {CRASH}',
        ),
        ("x = 3\n    for i in range(60):\n        x = x * x", f'cannot evaluate d.bzl for "//:a": {UNINTERRUPTIBLE}'),
    ],
    ids=["loop", "memory", "crash", "integers"],
)  # fmt: skip
def test_implementations(body: str, error: str) -> None:
    assert evaluated(RULE.format(body).lstrip()) == error


# --- the guard itself


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_fault_of_ours_is_told_as_one() -> None:
    def fault(enter: Callable[[str], None]) -> None:
        enter("a/BUILD")
        raise ValueError("oops")

    before = open_files()
    with pytest.raises(InternalError, match="ValueError: oops"):
        guard.run(fault)
    with pytest.raises(InternalError):  # a result that cannot cross
        guard.run(lambda enter: lambda: None)
    assert open_files() == before


@pytest.mark.parametrize(("number", "kind", "text"), [
    (9, "LoadError", "cannot evaluate a/BUILD: its evaluation was killed by SIGKILL"),
    (11, "LoadError", f"cannot evaluate a/BUILD: {CRASH}"),
    (1, "KeyboardInterrupt", ""),
    (2, "KeyboardInterrupt", ""),
    (15, "KeyboardInterrupt", ""),
])  # fmt: skip
def test_a_child_that_is_killed(number: int, kind: str, text: str) -> None:
    def die(enter: Callable[[str], None]) -> None:
        enter("a/BUILD")
        os.kill(os.getpid(), number)
        time.sleep(60)

    with pytest.raises((guard.LoadError, KeyboardInterrupt)) as caught:
        guard.run(die)
    assert (type(caught.value).__name__, str(caught.value)) == (kind, text)


def test_a_child_that_sleeps_is_not_waited_for() -> None:
    def sleep(enter: Callable[[str], None]) -> None:
        enter("a/BUILD")
        time.sleep(60)

    assert fails(lambda: guard.run(sleep, seconds=0.5)) == (
        "cannot evaluate a/BUILD: it takes more than 0.5 seconds; is there an endless loop?"
    )


def test_the_parent_interrupted_leaves_no_child() -> None:
    def busy(enter: Callable[[str], None]) -> None:
        os.kill(os.getppid(), 2)
        time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        guard.run(busy)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_large_result_crosses() -> None:
    assert guard.run(lambda enter: b"x" * 50_000_000) == b"x" * 50_000_000
