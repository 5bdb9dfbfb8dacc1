"""``distroless build``: what it prints, what it puts in place, and what it does not do twice."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules import state
from tests.support.command import Commands
from tests.support.scene import Scene, scene

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "write_file")

        write_file(name = "text", out = "text.txt", content = ["one", "two"])

        files(name = "app", srcs = {"/app/text": "source.txt"})

        distroless_image(name = "image", contents = [":app"])
        """,
    "source.txt": "source\n",
    "sub/BUILD": """
        load("@distroless_rules//rules:defs.bzl", "write_file")

        print("a word from sub")
        write_file(name = "text", out = "text.txt", content = ["sub"])
        """,
}


def _plain(text: str) -> str:
    text = re.sub(r"sha256:[0-9a-f]{64}", "<digest>", text)
    return re.sub(r"\d+\.\d\d s", "<seconds>", text)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    # Files that changed this very moment are looked at once more; tests need not wait until they are older.
    monkeypatch.setattr(state, "_RACY_NS", 0)
    return Commands(tmp_path, FILES)


def _digest(commands: Commands) -> str:
    ran = commands.run("build", "//:image", "--json")
    assert ran.status == 0, ran.err
    (row,) = json.loads(ran.out)
    return str(row["digest"])


def test_an_image_is_named_with_its_digest_and_size(commands: Commands) -> None:
    ran = commands.run("build", "//:image")
    assert (ran.status, ran.out) == (0, "")
    lines = _plain(ran.err).splitlines()[-2:]
    assert re.fullmatch(r"  distroless-out/image <digest> \(\d+(\.\d)? k?B\)", lines[0])
    assert lines[1] == "1 target, 9 actions: 0 up to date, 0 disk hits, 9 run locally (<seconds>)"
    assert (commands.root / "distroless-out/image/index.json").is_file()


def test_files_are_named_and_in_place(commands: Commands) -> None:
    ran = commands.run("build", "//:text")
    assert _plain(ran.err) == (
        "  distroless-out/text.txt (8 B)\n1 target, 1 action: 0 up to date, 0 disk hits, 1 run locally (<seconds>)\n"
    )
    assert (commands.root / "distroless-out/text.txt").read_text("utf-8") == "one\ntwo\n"


WORDS = """
load("@distroless_rules//rules:defs.bzl", "distroless_image", "distroless_index", "files")

files(name = "app", srcs = {"/app/text": "source.txt"})

distroless_image(
    name = "image",
    contents = [":app"],
    exclude = ["/app/text", "nanno"],
    keep = ["/app/txt", "nano"],
    accept = ["nano"],
    locales = ["de"],
    entrypoint = ["/app/run"],
    allow_missing = ["/app/run", "libgone.so.*"],
)

distroless_index(name = "index", image = ":image", platforms = ["linux/amd64", "linux/arm64"])
"""
SAID = """\
words/BUILD:5: warning: keep: "/app/txt" is no path in the image; did you mean "/app/text"?
words/BUILD:5: warning: exclude: "/app/text" is no path in the image's debs
words/BUILD:5: warning: keep: "nano" is no deb of the image
words/BUILD:5: warning: exclude: "nanno" is no deb that one of the image needs
words/BUILD:5: warning: accept: "nano" is no deb of the image
words/BUILD:5: warning: locales: "de" is a language that no deb of the image is translated into
words/BUILD:5: warning: allow_missing: "libgone.so.*" is nothing that a file of the image needs and does not find
"""


@pytest.mark.parametrize("name", ["image", "index"])
def test_words_that_say_nothing_are_named_once_whatever_was_known(commands: Commands, name: str) -> None:
    commands.write({"words/BUILD": WORDS, "words/source.txt": "source\n"})
    for state_of_it in ("new", "unchanged"):
        assert _warned(commands, name) == SAID, state_of_it
    commands.write({"words/BUILD": WORDS + "# a comment\n"})
    assert _warned(commands, name) == SAID, "every result is known"
    commands.write({"words/BUILD": WORDS.replace("/app/txt", "/app/text")})
    assert _warned(commands, name) == SAID.partition("\n")[2]


def test_other_verbs_that_build_warn_too(commands: Commands) -> None:
    test = """
image_test(name = "check", image = ":image", configs = ["check.yaml"])
"""
    check = 'schemaVersion: "2.0.0"\nfileExistenceTests: [{name: text, path: /app/text, shouldExist: true}]\n'
    build = WORDS.replace('"files")', '"files", "image_test")') + test
    commands.write({"words/BUILD": build, "words/source.txt": "source\n", "words/check.yaml": check})
    for words in (
        ("test", "//words:check"),
        ("diff", "//words:image", "//words:image"),
        ("run", "//words:image", "--runtime=runc", "--user=:"),
    ):
        ran = commands.run(*words)
        for line in SAID.splitlines():
            assert f"{line}\n" in ran.err, words
    told = commands.root.parent / "events"
    ran = commands.run("test", "//words:check", f"--build_event_json_file={told}")
    events = [json.loads(line) for line in told.read_text().splitlines()]
    (completed,) = (event["completed"] for event in events if "completed" in event)
    assert (completed, events[-1]["finished"]["overallSuccess"]) == ({"success": True}, True)
    assert (ran.status, "1 test: 1 passed" in ran.out) == (0, True), ran.err
    assert re.search(r"^1 test, \d+ actions: \d+ up to date, 0 disk hits, 0 run locally ", ran.err, re.MULTILINE), (
        ran.err
    )


def _warned(commands: Commands, name: str) -> str:
    ran = commands.run("build", f"//words:{name}")
    assert (ran.status, ran.out) == (0, "")
    return "".join(f"{line}\n" for line in ran.err.splitlines() if "warning" in line)


def test_labels_are_relative_to_the_folder(commands: Commands) -> None:
    ran = commands.run("build", ":text", folder="sub")
    assert ran.status == 0
    assert (commands.root / "distroless-out/sub/text.txt").read_text("utf-8") == "sub\n"
    assert ran.err.startswith("DEBUG: sub/BUILD:3: a word from sub\n")


def test_json_has_what_was_built(commands: Commands) -> None:
    rows = json.loads(commands.run("build", "//...", "--json").out)
    assert [(row["label"], row["rule"]) for row in rows] == [
        ("//:text", "write_file"),
        ("//:app", "files"),
        ("//:image", "distroless_image"),
        ("//sub:text", "write_file"),
    ]
    assert rows[2]["paths"] == [str(commands.root / "distroless-out/image")]


def test_nothing_changed(commands: Commands) -> None:
    commands.run("build", "//...")
    again = commands.run("build", "//...")
    assert _plain(again.err).splitlines()[-1] == "4 targets up to date (<seconds>)"


def test_a_build_file_that_changes_nothing(commands: Commands) -> None:
    before = _digest(commands)
    (commands.root / "BUILD").write_text((commands.root / "BUILD").read_text("utf-8") + "# a comment\n", "utf-8")
    ran = commands.run("build", "//:image")
    assert (
        _plain(ran.err).splitlines()[-1] == "1 target, 9 actions: 9 up to date, 0 disk hits, 0 run locally (<seconds>)"
    )
    assert _digest(commands) == before


def test_a_source_file_that_changes_and_changes_back(commands: Commands) -> None:
    before = _digest(commands)
    source = commands.root / "source.txt"
    source.write_text("other!\n", "utf-8")
    assert _digest(commands) != before
    source.write_text("source\n", "utf-8")
    assert _digest(commands) == before


def test_a_source_file_that_changes_within_its_size_and_time(commands: Commands) -> None:
    before = _digest(commands)
    source = commands.root / "source.txt"
    times = source.stat()
    source.write_text("SOURCE\n", "utf-8")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert _digest(commands) != before


def test_an_output_that_is_gone_or_altered_comes_back(commands: Commands) -> None:
    before = _digest(commands)
    index = commands.root / "distroless-out/image/index.json"
    right = index.read_bytes()
    index.unlink()
    assert _digest(commands) == before
    assert index.read_bytes() == right
    commands.run("build", "//:text")
    text = commands.root / "distroless-out/text.txt"
    text.unlink()
    text.write_text("mine", "utf-8")
    commands.run("build", "//:text")
    assert text.read_text("utf-8") == "one\ntwo\n"


def test_outputs_that_another_build_links_too_still_stand(commands: Commands) -> None:
    commands.run("build", "//:image")
    commands.write({"BUILD": FILES["BUILD"] + '\n        distroless_image(name = "twin", contents = [":app"])\n'})
    commands.run("build", "//:image")
    commands.run("build", "//:twin")
    assert "up to date" in commands.run("build", "//:image").err


def test_a_new_file_under_a_glob(tmp_path: Path) -> None:
    commands = Commands(
        tmp_path,
        {
            "BUILD": """
                load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")
                files(name = "app", srcs = glob(["data/**"]), prefix = "/data")
                distroless_image(name = "image", contents = [":app"])
                """,
            "data/a": "a",
        },
    )
    before = _digest(commands)
    commands.write({"data/b": "b"})
    assert _digest(commands) != before
    (commands.root / "data/b").unlink()
    assert _digest(commands) == before


def test_defines_choose(tmp_path: Path) -> None:
    commands = Commands(
        tmp_path,
        {
            "BUILD": """
                load("@distroless_rules//rules:defs.bzl", "write_file")
                config_setting(name = "loud", define = {"mode": "loud"})
                write_file(
                    name = "text",
                    out = "text.txt",
                    content = select({":loud": ["LOUD"], "//conditions:default": ["quiet"]}),
                )
                """
        },
    )
    text = commands.root / "distroless-out/text.txt"
    commands.run("build", "//:text")
    assert text.read_text("utf-8") == "quiet\n"
    commands.run("build", "//:text", "--define", "mode=loud")
    assert text.read_text("utf-8") == "LOUD\n"
    wrong = commands.run("build", "//:text", "--define", "mode")
    assert (wrong.status, wrong.err) == (2, 'distroless: cannot read --define "mode": expected KEY=VALUE\n')


def test_a_failure_keeps_the_last_output_and_keep_going_builds_the_rest(commands: Commands) -> None:
    before = _digest(commands)
    broken = FILES["BUILD"] + '\n        files(name = "bad", srcs = {"/app/text": ":text"})\n'
    broken = broken.replace('contents = [":app"]', 'contents = [":app", ":bad"]')
    commands.write({"BUILD": broken})
    ran = commands.run("build", "//...")
    assert ran.status in (1, 2)
    assert "/app/text" in ran.err
    assert "//:app" in ran.err
    assert "//:bad" in ran.err
    going = commands.run("build", "-k", "//...")
    assert going.status == ran.status
    assert (commands.root / "distroless-out/sub/text.txt").is_file()
    commands.write(FILES)
    assert _digest(commands) == before


def test_archives_of_an_image(commands: Commands, tmp_path: Path) -> None:
    docker, oci = tmp_path / "docker.tar", tmp_path / "oci.tar"
    ran = commands.run("build", "//:image", "--output", f"docker-archive={docker}", "--output", f"oci-archive={oci}")
    assert ran.status == 0, ran.err
    with tarfile.open(docker) as archive:
        assert "manifest.json" in archive.getnames()
    with tarfile.open(oci) as archive:
        assert {"oci-layout", "index.json"} <= set(archive.getnames())
    first = docker.read_bytes(), oci.read_bytes()
    commands.run("build", "//:image", "--output", f"docker-archive={docker}", "--output", f"oci-archive={oci}")
    assert (docker.read_bytes(), oci.read_bytes()) == first


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--output", "tar=x"], 'cannot read --output "tar=x": expected docker-archive=FILE or oci-archive=FILE'),
        (["--output", "oci-archive="], 'cannot read --output "oci-archive=": expected docker-archive=FILE or oci-a'),
    ],
)
def test_archives_that_cannot_be(commands: Commands, words: list[str], error: str) -> None:
    ran = commands.run("build", "//:image", *words)
    assert ran.status == 2
    assert ran.err.startswith(f"distroless: {error}")


def test_an_archive_of_what_is_no_image(commands: Commands, tmp_path: Path) -> None:
    ran = commands.run("build", "//:text", "--output", f"oci-archive={tmp_path / 'x'}")
    assert ran.status == 2
    assert ran.err.endswith("no image was built\n")


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("build")) as made:
        yield made


def test_another_image_of_the_same_debs_unpacks_none(debs: Scene) -> None:
    twin = (debs.root / "BUILD").read_text("utf-8").partition("\n")[2].replace('"image"', '"twin"')
    debs.write(
        {"BUILD": (debs.root / "BUILD").read_text("utf-8") + twin.replace("contents", 'author = "x",\n    contents')}
    )
    ran = debs.run("build", "//:twin")
    assert ran.status == 0, ran.err
    assert " 2 run locally " in ran.err, "its verdict, and its manifest"
    assert "fetched" not in ran.err


def test_locked_refuses_to_lock(debs: Scene) -> None:
    lock = debs.root / "distroless.lock"
    text = lock.read_bytes()
    lock.unlink()
    ran = debs.run("build", "--locked", "//:image")
    lock.write_bytes(text)
    assert ran.status == 2
    assert ran.err == "distroless: cannot build with --locked: there is no distroless.lock; run `distroless lock`\n"
