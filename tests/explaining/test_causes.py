"""``distroless explain``: a workspace, one change of it in; exactly what changed out, and the way to the digest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from distroless_rules.tools.registry import Registry
from distroless_rules.tools.tool import Tool
from tests.support.archive import SmallArchive
from tests.support.debs import make_deb
from tests.support.scene import Scene
from tests.support.server import Server

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image")

        distroless_image(
            name = "image",
            binary = None,
            contents = [
                "//app:files",
                "@trixie//small",
            ],
            env = {
                "HOST": "localhost",
                "PORT": "80",
            },
        )

        distroless_image(
            name = "plain",
            contents = ["//app:files"],
        )
        """,
    "app/BUILD": """
        load("@distroless_rules//rules:defs.bzl", "files")
        load("//tools:gen.bzl", "gen")

        package(default_visibility = ["//visibility:public"])

        config_setting(
            name = "loud",
            define_values = {"mode": "loud"},
        )

        gen(
            name = "config",
            out = "app.conf",
            level = select({
                ":loud": "9",
                "//conditions:default": "1",
            }),
            template = "app.conf.in",
        )

        files(
            name = "files",
            srcs = {
                "/app/main": "main",
                "/etc/app.conf": ":config",
            },
        )

        files(
            name = "data",
            srcs = {"": ":all_data"},
            prefix = "/data",
        )

        filegroup(
            name = "all_data",
            srcs = glob(["data/*.txt"]),
        )
        """,
    "app/main": "program\n",
    "app/app.conf.in": "level = @level@\n",
    "app/data/one.txt": "one\n",
    "tools/BUILD": "",
    "tools/gen.bzl": """
        def _gen(ctx):
            ctx.actions.tool(
                mnemonic = "ExpandTemplate",
                inputs = {"template": ctx.file.template},
                outputs = {"out": ctx.outputs.out},
                parameters = {"substitutions": {"@level@": ctx.attr.level}},
                progress_message = "Generating " + ctx.outputs.out.short_path,
            )

        gen = rule(
            implementation = _gen,
            attrs = {
                "level": attr.string(),
                "out": attr.output(),
                "template": attr.label(allow_single_file = True),
            },
        )
        """,
}


def _debs(library: str = "1.0", depends: str = "libsmall") -> Iterator[bytes]:
    yield make_deb("0755 usr/bin/small = program\\n\nusr/share/doc/small/copyright = free", {"Depends": depends})
    yield make_deb(
        f"usr/lib/libsmall.so.1 = library {library}\\n\nusr/share/doc/libsmall/copyright = free",
        {"Package": "libsmall", "Version": library},
    )
    yield make_deb("usr/share/other/text = other\\n\nusr/share/doc/other/copyright = free", {"Package": "other"})


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("explain")
    archive = SmallArchive(folder / "archive")
    for deb in _debs():
        archive.add(deb)
    archive.publish("trixie")
    with Server(archive.folder) as server:
        yield Scene(folder, archive, server)


@pytest.fixture(autouse=True)
def _as_it_was(it: Scene) -> None:
    """Build the workspace as it is above."""
    _write(it)
    ran = it.run("build", "//:image")
    assert ran.status == 0, ran.err


def _write(it: Scene) -> None:
    for path in (it.root / "app/data").glob("*"):
        path.unlink()
    it.write(FILES)


def _edit(it: Scene, path: str, old: str, new: str) -> None:
    file = it.root / path
    text = file.read_text()
    assert text.count(old) == 1, f"{old} is {text.count(old)} times in {path}"
    file.write_text(text.replace(old, new))


def _explained(it: Scene, *words: str) -> Any:
    ran = it.run("explain", "--json", *(words or ("//:image",)))
    assert ran.status == 0, ran.err
    return json.loads(ran.out)


def _causes(document: Any) -> list[str]:
    return [re.sub(r"[0-9a-f]{12}", "<hash>", f"{row['place']}: {row['text']}") for row in document["causes"]]


def _change(path: str, old: str, new: str) -> Callable[[Scene], None]:
    return lambda it: _edit(it, path, old, new)


def _add(path: str, text: str) -> Callable[[Scene], None]:
    return lambda it: it.write({path: text})


EDITS = {
    "a source file": (
        _change("app/main", "program", "programme"),
        ["app/main: changed: 8 bytes, sha256:<hash> -> 10 bytes, sha256:<hash>"],
    ),
    "a source file that an action reads": (
        _change("app/app.conf.in", "level =", "Level ="),
        ["app/app.conf.in: changed: 16 bytes, sha256:<hash> -> 16 bytes, sha256:<hash>"],
    ),
    "a value of a dictionary": (
        _change("BUILD", '"80"', '"8080"'),
        ['BUILD:12:9: env["PORT"] of //:image: "80" -> "8080"'],
    ),
    "a new key of a dictionary": (
        _change("BUILD", '"PORT": "80",', '"PORT": "80",\n        "ROOT": "/srv",'),
        ['BUILD:13:9: env["ROOT"] of //:image: "/srv" is new'],
    ),
    "a key that is gone": (
        _change("BUILD", '        "PORT": "80",\n', ""),
        ['BUILD:10:5: env["PORT"] of //:image: "80" is gone'],
    ),
    "an attribute that is new": (
        _change("BUILD", 'name = "image",', 'name = "image",\n    exposed_ports = ["80/tcp"],\n    user = "1000",'),
        [
            'BUILD:6:12: user of //:image: "nonroot" -> "1000"',
            'BUILD:5:22: exposed_ports of //:image: "80/tcp" is new',
        ],
    ),
    "a mode of another target": (
        _change("app/BUILD", 'name = "files",', 'name = "files",\n    mode = "0755",'),
        ['app/BUILD:23:12: mode of //app:files: "0644" -> "0755"'],
    ),
    "a path of another target": (
        _change("app/BUILD", '"/app/main"', '"/app/run"'),
        [
            'app/BUILD:23:5: srcs["/app/main"] of //app:files: "//app:main" is gone',
            'app/BUILD:24:9: srcs["/app/run"] of //app:files: "//app:main" is new',
        ],
    ),
    "the compression": (
        _change("BUILD", 'name = "image",', 'name = "image",\n    compression = "zstd",'),
        ['BUILD:5:19: compression of //:image: "gzip" -> "zstd"'],
    ),
    "one more deb": (
        _change("BUILD", '"@trixie//small",', '"@trixie//small",\n        "@trixie//other",'),
        ['BUILD:9:9: contents of //:image: "@trixie//other" is new'],
    ),
    "a deb less": (
        _change("BUILD", '        "@trixie//small",\n', ""),
        ['BUILD:6:5: contents of //:image: "@trixie//small" is gone'],
    ),
    "one more target": (
        _change("BUILD", '"//app:files",\n        "@', '"//app:files",\n        "//app:data",\n        "@'),
        ['BUILD:8:9: contents of //:image: "//app:data" is new'],
    ),
    "what a rule does": (
        _change("tools/gen.bzl", "ctx.attr.level}", 'ctx.attr.level + "0"}'),
        ["tools/gen.bzl: changed: sha256:<hash> -> sha256:<hash>"],
    ),
    "the default of a rule": (
        _change("tools/gen.bzl", '"level": attr.string()', '"level": attr.string(), "more": attr.string()'),
        [],
    ),
    "a comment": (_change("BUILD", "load(", "# words\nload("), []),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edit(it: Scene, case: str) -> None:
    edit, expected = EDITS[case]
    before = it.output()
    edit(it)
    document = _explained(it)
    if not expected:
        assert document["digest"] == before
        assert _causes(document) == [] or document["before"]["digest"] != before
        return
    assert _causes(document) == expected
    assert (document["before"]["digest"], document["same"]) == (before, document["digest"] == before)
    assert document["digest"] != before
    for row in document["causes"]:
        assert row["chain"][-1] == "Writing the manifest of //:image"


def test_a_file_that_a_glob_takes(it: Scene) -> None:
    _edit(it, "BUILD", '"//app:files",\n        "@', '"//app:files",\n        "//app:data",\n        "@')
    assert it.run("build", "//:image").status == 0
    it.write({"app/data/two.txt": "two\n"})
    assert _causes(_explained(it)) == ["app/data/two.txt: is new: srcs of //app:all_data takes it"]
    (it.root / "app/data/two.txt").unlink()
    assert _causes(_explained(it)) == ["app/data/two.txt: is gone: srcs of //app:all_data takes it"]


def test_a_definition(it: Scene) -> None:
    document = _explained(it, "//:image", "--define", "mode=loud")
    assert _causes(document) == ['--define mode: "loud" is new']
    (row,) = document["causes"]
    assert row["details"] == ['level: "1" -> "9" (of //app:config)']
    assert row["chain"][0] == "Generating app/app.conf"
    document = _explained(it, "//:image", "--define", "mode=low")
    assert _causes(document) == ['--define mode: "loud" -> "low"']


def test_it_builds_as_the_last_build_did(it: Scene) -> None:
    assert it.run("build", "//:image", "--define", "mode=loud").status == 0
    _edit(it, "app/main", "program", "other")
    assert _causes(_explained(it)) == ["app/main: changed: 8 bytes, sha256:<hash> -> 6 bytes, sha256:<hash>"]


def test_a_platform(it: Scene) -> None:
    assert it.run("build", "//:plain", "--platform", "linux/amd64").status == 0
    document = _explained(it, "//:plain", "--platform", "linux/arm64")
    assert _causes(document) == ["--platform: linux/amd64 -> linux/arm64"]


@pytest.fixture
def other_debs(it: Scene) -> Iterator[Callable[[Iterator[bytes]], None]]:
    """Publish other debs, and take them; the first ones are there again afterwards."""

    def publish(debs: Iterator[bytes]) -> None:
        it.archive.clear()
        for deb in debs:
            it.archive.add(deb)
        it.archive.publish("trixie")
        assert it.run("lock", "--update").status == 0

    yield publish
    publish(_debs())


def test_the_version_of_a_deb(it: Scene, other_debs: Callable[[Iterator[bytes]], None]) -> None:
    other_debs(_debs("1.1"))
    document = _explained(it)
    assert _causes(document) == ["distroless.lock: @trixie//libsmall: 1.0 -> 1.1"]
    assert document["causes"][0]["chain"][:2] == ["Unpacking libsmall", "Composing //:image (2 debs)"]
    assert document["effects"] == []


def test_other_bytes_of_a_deb(it: Scene, other_debs: Callable[[Iterator[bytes]], None]) -> None:
    other_debs(_rebuilt())
    (cause,) = _causes(_explained(it))
    assert re.fullmatch(r"distroless.lock: @trixie//libsmall: 1.0 has other bytes: \d+ bytes, .*", cause)


def _rebuilt() -> Iterator[bytes]:
    small, _, other = _debs()
    yield small
    yield make_deb(
        "usr/lib/libsmall.so.1 = library again\\n\nusr/share/doc/libsmall/copyright = free", {"Package": "libsmall"}
    )
    yield other


def test_a_deb_that_a_newer_one_needs(it: Scene, other_debs: Callable[[Iterator[bytes]], None]) -> None:
    _, library, other = _debs()
    small = make_deb(
        "0755 usr/bin/small = program\\n\nusr/share/doc/small/copyright = free",
        {"Depends": "libsmall, other", "Version": "1.1"},
    )
    other_debs(iter([small, library, other]))
    document = _explained(it)
    causes = ["distroless.lock: @trixie//other 1.0 is new", "distroless.lock: @trixie//small: 1.0 -> 1.1"]
    assert sorted(_causes(document)) == causes


def test_the_code_of_a_tool(it: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Registry.get

    def get(self: Registry, mnemonic: str, default: Any = None) -> Any:
        tool = known(self, mnemonic, default)
        return Tool(tool.mnemonic, tool.version + "x", tool.perform) if mnemonic == "ExpandTemplate" else tool

    monkeypatch.setattr(Registry, "get", get)
    _edit(it, "BUILD", "load(", "# so that something is to be done\nload(")
    (cause,) = _causes(_explained(it))
    assert re.fullmatch(r"this program: ExpandTemplate: version (\S+) -> \1x", cause)


def test_two_changes_at_once(it: Scene) -> None:
    _edit(it, "app/main", "program", "other")
    _edit(it, "BUILD", '"80"', '"81"')
    assert _causes(_explained(it)) == [
        "app/main: changed: 8 bytes, sha256:<hash> -> 6 bytes, sha256:<hash>",
        'BUILD:12:9: env["PORT"] of //:image: "80" -> "81"',
    ]


def test_what_does_not_reach_the_digest(it: Scene) -> None:
    _edit(it, "app/app.conf.in", "@level@", "1")  # which is what @level@ becomes
    document = _explained(it)
    assert document["same"] is True
    assert _causes(document) == ["app/app.conf.in: changed: 16 bytes, sha256:<hash> -> 10 bytes, sha256:<hash>"]
    text = it.run("explain", "//:image").out
    assert "the digest is what it was at " in text
    assert "  -> Generating app/app.conf\n  -> what it makes is the same as before\n\n1 step of " in text
