"""Logs of builds: what one build says of itself in, changed here and there; what differs first out."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distroless_rules.cli.explain_text import shown
from distroless_rules.errors import FormatError
from distroless_rules.explaining.explain import Explanation, explain
from distroless_rules.explaining.made import made_of
from distroless_rules.explaining.values import changes
from distroless_rules.logs.file import unpack
from distroless_rules.logs.texts import load
from tests.support.command import Commands
from tests.support.logs import assembled, logs_of, parts_of, written

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

        files(
            name = "app",
            srcs = {"/app/main": "main"},
        )

        distroless_image(
            name = "image",
            contents = [":app"],
            stop_signal = "SIGINT",
        )
        """,
    "main": "program\n",
}


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("explanations"), FILES)


@pytest.fixture(scope="module")
def first(commands: Commands) -> Any:
    """What the first build says of itself."""
    ran = commands.run("explain", "--json", "//:image")
    assert ran.status == 0, ran.err
    return parts_of(unpack(logs_of(commands)[0], "the log"))


def _action(record: Any, mnemonic: str, output: str = "") -> Any:
    return next(
        row for row in record["actions"] if row["mnemonic"] == mnemonic and output in (row["outputs"][0][1] + "\n")
    )


def _compared(first: Any, edit: Callable[[Any], None]) -> Explanation:
    """Compare the build with one that is as ``edit`` leaves it."""
    old, new = first, copy.deepcopy(first)
    edit(new)
    made = [made_of(load(assembled(each), "a log"), "//:image") for each in (old, new)]
    return explain(made[0], made[1], Path("/nonexistent"))


def _causes(answer: Explanation) -> list[str]:
    return [f"{cause.kind.value}: {cause.place}: {cause.text}" for cause in answer.causes]


def _new_digest(row: list[Any]) -> None:
    row[-1] = f"{'f' * 64}/9"


def test_nothing(first: Any) -> None:
    answer = _compared(first, lambda record: None)
    assert (answer.causes, answer.steps, answer.unreproducible) == ((), (), False)
    lines = list(shown(answer))
    assert lines[1].startswith("nothing has changed: the digest is what it was at 2")


def test_a_tool(first: Any) -> None:
    def edit(record: Any) -> None:
        _action(record, "Image")["version"] = "2"

    assert _causes(_compared(first, edit)) == ["tool: this program: Image: version 1 -> 2"]


def test_how_keys_are_made(first: Any) -> None:
    def edit(record: Any) -> None:
        for row in record["actions"]:
            row["form"] = "x"

    (cause,) = _causes(_compared(first, edit))
    assert cause.startswith("tool: this program: the way keys are made: version ")


def test_a_compressor(first: Any) -> None:
    def edit(record: Any) -> None:
        for row in record["actions"]:
            if row["mnemonic"] == "Layer":
                row["parameters"]["compressor"] = "gzip by another"

    (cause,) = _causes(_compared(first, edit))
    assert cause.startswith("compressor: distroless.lock: compressor: ")
    assert cause.endswith(' -> "gzip by another"')


def test_a_step_that_is_not_reproducible(first: Any) -> None:
    def edit(record: Any) -> None:
        layer = _action(record, "Layer", "app\n")
        _new_digest(layer["outputs"][0])
        record["head"]["made"][0]["digest"] = "sha256:" + "e" * 64

    answer = _compared(first, edit)
    (cause,) = _causes(answer)
    assert cause.startswith('not reproducible: Writing layer app of //:image: same inputs, other output "blob": ')
    assert answer.unreproducible
    assert "NOT REPRODUCIBLE: the same step gave different bytes for the same inputs" in list(shown(answer))


def test_only_the_first_step_that_is_not_reproducible(first: Any) -> None:
    def edit(record: Any) -> None:
        layer, image = _action(record, "Layer", "app\n"), _action(record, "Image")
        _new_digest(layer["outputs"][1])
        next(row for row in image["inputs"] if row[2] == layer["outputs"][1][1])[3] = layer["outputs"][1][3]
        for row in image["outputs"]:
            _new_digest(row)

    answer = _compared(first, edit)
    assert [cause.subject for cause in answer.causes] == ["//:image"]
    assert [acted.title for acted in answer.chain(answer.causes[0])] == [
        "Writing layer app of //:image",
        "Writing the manifest of //:image",
    ]


def test_a_parameter_that_nothing_explains(first: Any) -> None:
    def edit(record: Any) -> None:
        _action(record, "Image")["parameters"]["user"] = "7"

    (cause,) = _causes(_compared(first, edit))
    assert cause == 'other: Writing the manifest of //:image: parameters: user: "65532" -> "7"'


def test_another_version_of_this_program(first: Any) -> None:
    def edit(record: Any) -> None:
        record["head"]["program"] = "99"
        _action(record, "Image")["parameters"]["user"] = "7"

    (cause,) = _causes(_compared(first, edit))
    assert cause == f"tool: this program: version {first['head']['program']} -> 99"


def test_a_script_that_rules_come_from(first: Any) -> None:
    def edit(record: Any) -> None:
        record["declared"][1]["tools/x.bzl"] = "f" * 64
        _action(record, "Image")["parameters"]["user"] = "7"

    assert _causes(_compared(first, edit)) == [
        "rules: tools/x.bzl: changed: sha256:- -> sha256:ffffffffffff",
    ]


def test_what_another_machine_says(commands: Commands, first: Any, tmp_path: Path) -> None:
    (tmp_path / "theirs.zst").write_bytes(written(first))
    commands.write({"main": "other\n"})
    try:
        ran = commands.run("explain", "//:image", "--against", str(tmp_path / "theirs.zst"))
        assert ran.status == 0, ran.err
        assert "\nmain: changed: 8 bytes, sha256:" in ran.out
        assert "\n  -> Writing the manifest of //:image\n" in ran.out
        every = commands.run("explain", "//:image", "--all").out
        assert "\nCompose of //:image: Composing //:image (0 debs)\n  input/file/0: " in every
    finally:
        commands.write({"main": "program\n"})


def test_the_first_build_and_none(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    ran = commands.run("explain", "//:image", "--no-build")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        'distroless: cannot explain "//:image": no build of it is known; run `distroless build //:image`\n'
    )
    ran = commands.run("explain", "//:image")
    digest = json.loads((commands.root / "distroless-out/image/index.json").read_bytes())["manifests"][0]["digest"]
    assert ran.out == (
        f"//:image {digest}\nthis is its first build that is known here: there is none before it to compare with\n"
    )
    for words in ((), ("--no-build",)):
        ran = commands.run("explain", "//:image", *words)
        assert ran.out.startswith(f"//:image {digest}\nnothing has changed since 2")
    assert (
        commands.run("explain", "//...").err
        == 'distroless: cannot explain "//...": it is not the label of one target\n'
    )
    ran = commands.run("explain", "//:app")
    assert ran.status == 0, ran.err


def test_a_damaged_log_is_none(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    assert commands.run("build", "//:image").status == 0
    commands.write({"main": "other\n"})
    assert commands.run("build", "//:image").status == 0
    old, new = logs_of(commands)
    data = bytearray(old.read_bytes())
    data[-20] ^= 1
    old.write_bytes(data)
    ran = commands.run("explain", "//:image", "--no-build")
    assert "nothing has changed since" in ran.out
    new.write_bytes(b"")
    assert commands.run("explain", "//:image", "--no-build").status == 2


def test_a_build_with_nothing_to_do_leaves_no_log(commands: Commands, first: Any) -> None:
    assert commands.run("build", "//:image").status == 0
    before = logs_of(commands)
    assert commands.run("build", "//:image").status == 0
    assert logs_of(commands) == before


def test_the_log_of_another_target(commands: Commands, first: Any, tmp_path: Path) -> None:
    other = copy.deepcopy(first)
    other["head"]["made"][0]["label"] = "//:other"
    (tmp_path / "file").write_bytes(written(other))
    ran = commands.run("explain", "//:image", "--no-build", "--against", str(tmp_path / "file"))
    cause = 'that build made "//:other", and "//:image" is asked for'
    assert (ran.status, ran.err) == (2, f'distroless: cannot compare with "{tmp_path}/file": {cause}\n')
    ran = commands.run("explain", "//:image", "--no-build", "--against", str(tmp_path / "none"))
    cause = "it is the number or id of no log here, and no file; `distroless log` lists those that there are"
    assert (ran.status, ran.err) == (2, f'distroless: cannot find log "{tmp_path}/none": {cause}\n')


@settings(max_examples=100)
@given(st.data())
def test_whatever_is_wrong_with_a_log_is_one_error(first: Any, data: st.DataObject) -> None:
    record = copy.deepcopy(first)
    at: Any = record
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.integers(0, 3)) == 0:
            break
        at = at[key]
    if data.draw(st.booleans()):
        del at[key]
    else:
        at[key] = data.draw(st.sampled_from([None, -1, "", "x", [], {}, [[]], {"x": None}, 1e400, True]))
    old = made_of(load(assembled(first), "a log"), "//:image")
    try:
        log = load(assembled(record), "a log")
    except FormatError:
        return
    if all(target.label != "//:image" for target in log.head.made):
        return
    answer = explain(old, made_of(log, "//:image"), Path("/nonexistent"))
    assert list(shown(answer, everything=True))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)


@example([None, False], [None, 0])
@given(JSON, JSON)
def test_values_that_differ_have_changes_and_others_none(old: Any, new: Any) -> None:
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert bool(list(changes(old, new))) == (not same)
