"""What caches give is made again and compared: a lie in a cache is found, named and told from what follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distroless_rules.storage import signatures
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.store import copy_in
from distroless_rules.values.digest import Digest
from tests.support.command import Commands
from tests.support.liar import Liar

FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "write_file")

        write_file(name = "text", out = "text.txt", content = ["one", "two"])

        files(name = "app", srcs = {"/app/text": ":text", "/app/source": "source"})

        distroless_image(name = "image", contents = [":app"])
        """,
    "source": "source\n",
}
TRUE = b"one\ntwo\n"
POISON = b"one\nthree\n"


@pytest.fixture
def server() -> Iterator[Liar]:
    with Liar() as made:
        yield made


def poison(server: Liar) -> None:
    """Have the cache name other bytes as what was written."""
    wrong = Digest.of(POISON)
    server.blobs[wrong] = POISON
    for key, result in server.results.items():
        files = tuple(replace(f, digest=wrong) if f.digest == Digest.of(TRUE) else f for f in result.output_files)
        server.results[key] = replace(result, output_files=files)


def test_what_a_cache_gives_is_what_this_machine_makes(server: Liar, tmp_path: Path) -> None:
    key = signatures.generate("ci-1")
    (tmp_path / "ci.key").write_text(key.text())
    words = (f"--remote-cache={server.address}", "--remote_upload", f"--signing-key={tmp_path / 'ci.key'}")
    assert Commands(tmp_path / "ci", FILES).run("build", "//...", *words).status == 0

    commands = Commands(tmp_path / "release", FILES)
    commands.write({"distroless.toml": f'[workspace]\nname = "w"\n[cache]\ntrusted_keys = ["{key.public}"]\n'})
    built = commands.run("build", "//...", f"--remote-cache={server.address}")
    assert ", 0 run locally" in built.err
    kept = {file: file.read_bytes() for file in (commands.cache / "ac").rglob("*") if file.is_file()}
    calls = dict(server.calls)
    ran = commands.run("verify", "//...")
    assert ran.status == 0, ran.out + ran.err
    lines = ran.out.splitlines()
    assert len(lines) == 3
    assert all(line.endswith(" is the same, made on this machine alone") for line in lines)
    assert 'found elsewhere, signed by "ci-1"' in ran.err
    assert "made" not in ran.err
    assert {file: file.read_bytes() for file in (commands.cache / "ac").rglob("*") if file.is_file()} == kept
    assert server.calls == calls, "no server is asked when results are known here"

    found = json.loads(commands.run("verify", "--json", "//:image").out)
    assert found["same"]
    assert (found["differ"], found["followers"]) == ([], 0)
    (target,) = found["targets"]
    assert target["given"] == target["made"] == target["placed"] or target["placed"] is None
    assert target["given"].startswith("sha256:")


def test_a_lie_is_named_and_what_follows_from_it_is_not_blamed(server: Liar, tmp_path: Path) -> None:
    words = (f"--remote-cache={server.address}", "--remote_upload")
    honest = Commands(tmp_path / "ci", FILES)
    assert honest.run("build", "//:text", *words).status == 0
    poison(server)
    commands = Commands(tmp_path / "it", FILES)
    assert commands.run("build", "//:image", words[0]).status == 0
    ran = commands.run("verify", "//:image", words[0])
    assert ran.status == 1
    assert "//:image is not the same:\n  caches give              sha256:" in ran.out
    assert (
        f'Writing text.txt, for //:text: same inputs, other output "out"\n'
        f"  given  {Digest.of(POISON).oci}, 10 bytes: found elsewhere, not signed\n"
        f"  made   {Digest.of(TRUE).oci}, 8 bytes\n"
        "  5 bytes at the start are the same\n"
    ) in ran.out
    assert "more steps differ by what is read from there" in ran.out
    assert "app/text" in ran.out.partition("--- //:image as given")[2]
    assert ran.err.splitlines()[-1] == (
        f"distroless: cannot verify //:image: 1 step of {steps(commands)} gives other bytes here; "
        "`distroless build --noremote-accept` uses nothing that was found elsewhere"
    )

    found = json.loads(commands.run("verify", "--json", "//:image").out)
    assert not found["same"]
    (step,) = found["differ"]
    assert (step["owner"], step["origin"], step["first_byte"]) == ("//:text", "found elsewhere, not signed", 5)
    assert found["followers"] > 1
    (target,) = found["targets"]
    assert target["given"] != target["made"]

    assert honest.run("build", "//:image").status == 0
    assert commands.run("build", "//:image", words[0], "--noremote_accept").status == 0
    ran = commands.run("verify", "//:image", words[0])
    assert ran.status == 0, ran.out + ran.err


def steps(commands: Commands) -> int:
    count: int = json.loads(commands.run("verify", "--json", "//:image").out)["steps"]
    return count


def test_a_lie_of_which_no_byte_is_to_be_had_is_found_too(server: Liar, tmp_path: Path) -> None:
    words = (f"--remote-cache={server.address}", "--remote_upload")
    assert Commands(tmp_path / "ci", FILES).run("build", "//:text", *words).status == 0
    poison(server)
    commands = Commands(tmp_path / "it", FILES)
    assert commands.run("build", "//:image", words[0]).status == 0
    for file in (commands.cache / "cas").rglob("*"):
        if file.is_file() and file.read_bytes() == POISON:
            file.unlink()
    ran = commands.run("verify", "//:image")
    assert ran.status == 1
    assert "what was given is not to be had" in ran.out


def test_what_this_machine_has_made_otherwise_is_found(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    assert commands.run("build", "//:text").status == 0
    with DiskStore(commands.cache) as store:
        for file in (commands.cache / "ac").rglob("*"):
            result = store.get(file.name) if file.is_file() else None
            if result is not None and Digest.of(TRUE) in result.outputs.values():
                store.put(file.name, replace(result, outputs={"out": copy_in(store, POISON)}))
    ran = commands.run("verify", "//:text")
    assert ran.status == 1
    assert "10 bytes: made on this machine before" in ran.out


def test_what_cannot_be_built_is_an_error(tmp_path: Path) -> None:
    commands = Commands(tmp_path, FILES)
    (commands.root / "source").unlink()
    ran = commands.run("verify", "//:image")
    assert ran.status in (1, 2)
    assert ran.err.startswith("distroless: BUILD:5:")
    assert commands.run("verify").status == 2
