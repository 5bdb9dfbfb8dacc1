"""Two people, two folders, two caches, one server: what the first has built the second only finds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules import state
from tests.support import engines
from tests.support.command import Commands

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "write_file")

        write_file(name = "text", out = "text.txt", content = ["one", "two"])

        files(name = "app", srcs = {"/app/text": "source.txt"})

        distroless_image(name = "image", contents = [":app"])
        """,
    "source.txt": "source\n" * 500_000,
}
COUNTS = re.compile(r"(\d+) actions?: (\d+) up to date, (\d+) disk hits?,(?: (\d+) remote hits?,)? (\d+) run locally")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with engines.casd(tmp_path_factory.mktemp("engine") / "data") as found:
        yield found


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_RACY_NS", 0)


def counts(printed: str) -> dict[str, int]:
    """Give how many actions ended how, but those of which there are none."""
    found = COUNTS.search(printed)
    assert found, printed
    total, *each = (int(number or 0) for number in found.groups())
    assert sum(each) == total
    return {name: number for name, number in zip(("same", "cached", "shared", "run"), each, strict=True) if number}


def digest(commands: Commands) -> str:
    found = re.search(r"sha256:[0-9a-f]{64}", (commands.root / "distroless-out/image/index.json").read_text())
    assert found
    return found[0]


def test_the_second_build_is_found_and_sends_nothing(address: str, tmp_path: Path) -> None:
    first = Commands(tmp_path / "ada", FILES)
    built = first.run("build", "//...", f"--remote-cache={address}", "--remote_upload")
    assert built.status == 0, built.err
    assert set(counts(built.err)) == {"run"}

    second = Commands(tmp_path / "a longer name for a folder" / "bob", FILES)
    found = second.run("build", "//...", f"--remote-cache={address}")
    assert found.status == 0, found.err
    assert counts(found.err) == {"shared": counts(built.err)["run"]}
    assert digest(second) == digest(first)
    received = re.search(r"shared cache: (\S+) kB received, (\S+) kB sent", found.err)
    assert received, found.err
    assert float(received[1]) < 100, "a layer's archive is not needed for anything, and not brought"

    again = second.run("build", "//...", f"--remote-cache={address}")
    assert "up to date" in again.err

    alone = Commands(tmp_path / "eve", FILES)
    ran = alone.run("build", "//...", f"--remote-cache={address}", "--noremote_accept")
    assert set(counts(ran.err)) == {"run"}
    assert digest(alone) == digest(first)


def test_digests_are_learned_and_nothing_is_brought(address: str, tmp_path: Path) -> None:
    first = Commands(tmp_path / "first", FILES)
    assert first.run("build", "//...", f"--remote-cache={address}", "--remote-upload").status == 0
    second = Commands(tmp_path / "second", FILES)
    words = ("build", "//...", f"--remote-cache={address}", "--remote-download-minimal")
    learned = second.run(*words)
    assert learned.status == 0, learned.err
    assert set(counts(learned.err)) == {"shared"}
    assert f"  //:image sha256:{digest(first)[7:]} (" in learned.err
    assert not (second.root / "distroless-out").exists()
    assert sum(file.stat().st_size for file in (second.cache / "cas").rglob("*") if file.is_file()) < 20_000
    assert "3 targets up to date" in second.run(*words).err

    built = second.run("build", "//...", f"--remote-cache={address}")
    assert set(counts(built.err)) == {"same"}, "what is learned is kept"
    assert digest(second) == digest(first)
    second.write({"source.txt": "other\n"})
    newer = second.run("build", "--json", *words[1:])
    assert newer.status == 0, newer.err
    assert {row["digest"] for row in json.loads(newer.out)} - {None} != {digest(second)}, "outputs stay as they are"
    assert {tuple(row["paths"]) for row in json.loads(newer.out)} == {()}


def test_digests_of_what_a_server_has_lost_are_learned_too(tmp_path: Path) -> None:
    with engines.casd(tmp_path / "data") as address:
        first = Commands(tmp_path / "first", FILES)
        assert first.run("build", "//...", f"--remote-cache={address}", "--remote_upload").status == 0
        second = Commands(tmp_path / "second", FILES)
        words = ("build", "//:image", f"--remote-cache={address}", "--remote-download-minimal")
        assert set(counts(second.run(*words).err)) == {"shared"}
        (second.cache / "state").rename(tmp_path / "state")
        for top in (tmp_path / "data", second.cache / "cas"):
            for file in top.rglob("*"):
                if {"objects", "cas"} & set(file.parts) and file.is_file():
                    file.unlink()
        ran = second.run(*words)
        assert ran.status == 0, ran.err
        assert f"  //:image {digest(first)} (" in ran.err


def test_an_archive_cannot_be_written_of_what_is_only_learned(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    ran = commands.run("build", "//:image", "--remote-download-minimal", "--output=oci-archive=image.tar")
    assert ran.status == 2
    assert "cannot write oci-archive=image.tar: --remote-download-minimal brings nothing to write" in ran.err


def test_actions_that_are_the_same_are_remote_hits_all(address: str, tmp_path: Path) -> None:
    files = {
        "BUILD": """
            load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "write_file")

            write_file(name = "made", out = "made.txt", content = ["the same"])

            [files(name = name, srcs = {"/text": file}) for name, file in [("now", "text"), ("later", ":made")]]

            [distroless_image(name = name + "_image", contents = [":" + name]) for name in ["now", "later"]]
            """,
        "text": "the same\n",
    }
    first = Commands(tmp_path / "first", files)
    built = counts(first.run("build", "//...", f"--remote-cache={address}", "--remote-upload").err)
    found = Commands(tmp_path / "second", files).run("build", "//...", f"--remote-cache={address}")
    assert counts(found.err) == {"shared": sum(built.values())}


def test_blobs_of_an_earlier_build_are_brought_when_they_are_needed(address: str, tmp_path: Path) -> None:
    files = {**FILES, "source.txt": "another\n" * 1000}
    first = Commands(tmp_path / "first", files)
    assert first.run("build", "//...", f"--remote-cache={address}", "--remote_upload").status == 0
    second = Commands(tmp_path / "second", files)
    assert second.run("build", "//:text", f"--remote-cache={address}").status == 0
    ran = second.run("build", "//...", f"--remote-cache={address}")
    assert set(counts(ran.err)) == {"same", "shared"}
    assert counts(ran.err)["same"] == 1
    for folder in ("cas", "trees"):
        for blob in (second.cache / folder).rglob("*"):
            if blob.is_file():
                blob.unlink()
    (second.root / "distroless-out/text.txt").unlink()
    ran = second.run("build", "//...", f"--remote-cache={address}")
    assert set(counts(ran.err)) == {"same"}
    assert digest(second) == digest(first)


def test_what_the_server_has_lost_is_made_again(tmp_path: Path) -> None:
    with engines.casd(tmp_path / "data") as address:
        first = Commands(tmp_path / "first", FILES)
        assert first.run("build", "//...", f"--remote-cache={address}", "--remote_upload").status == 0
        second = Commands(tmp_path / "second", FILES)
        assert second.run("build", "//:text", f"--remote-cache={address}").status == 0
        for file in (tmp_path / "data").rglob("*"):
            if "objects" in file.parts and file.is_file():
                file.unlink()
        ran = second.run("build", "//...", f"--remote-cache={address}")
        assert ran.status == 0, ran.err
        assert digest(second) == digest(first)


def test_a_server_that_is_not_there_costs_a_warning(tmp_path: Path) -> None:
    address = f"grpc://127.0.0.1:{engines.free_port()}"
    commands = Commands(tmp_path, FILES)
    begun = time.monotonic()
    ran = commands.run("build", "//...", f"--remote-cache={address}", "--remote_upload")
    assert ran.status == 0
    assert time.monotonic() - begun < 60, "it is not waited for"
    warnings = [line for line in ran.err.splitlines() if line.startswith("warning:")]
    cause = f"cannot use {address}: it cannot be reached: connection refused"
    assert warnings == [f'warning: {cause}; see "remote" in [cache]']
    assert set(counts(ran.err)) == {"run"}


def test_a_server_that_is_required_must_be_there(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    ran = commands.run("build", "//...", f"--remote-cache=grpc://127.0.0.1:{engines.free_port()}", "--remote-required")
    assert ran.status == 1
    assert "cannot be reached: connection refused" in ran.err
    assert "warning:" not in ran.err


def test_a_build_with_nothing_to_do_asks_nobody(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    assert commands.run("build", "//:text").status == 0
    ran = commands.run(
        "build", "//:text", f"--remote-cache=grpc://127.0.0.1:{engines.free_port()}", "--remote-required"
    )
    assert ran.status == 0
    assert "up to date" in ran.err


def test_a_build_with_nothing_to_do_imports_nothing_for_it(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    assert commands.run("build", "//:text").status == 0
    code = (
        "import sys; from distroless_rules.cli.main import main\n"
        "try: main(['build', '//:text', '--remote-cache=grpc://127.0.0.1:1', '--remote-required'])\n"
        "finally: print(*sorted(sys.modules))"
    )
    environment = {**os.environ, "DISTROLESS_CACHE": str(commands.cache)}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=commands.root, env=environment, capture_output=True, text=True, check=True
    )
    assert "up to date" in ran.stderr
    loaded = set(ran.stdout.split())
    assert "distroless_rules.state" in loaded
    assert not {"grpc", "urllib3", "distroless_rules.storage.shared"} & loaded
