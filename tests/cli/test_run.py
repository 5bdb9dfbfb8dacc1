"""``distroless run``: an image is built and started, and what its program does is what the command does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from distroless_rules.oci.runtime_commands import find
from tests.support import busybox
from tests.support.command import Commands
from tests.support.scene import ROOT

pytestmark = pytest.mark.runtime

CODE = "from distroless_rules.cli.main import main; main()"
FILES = {
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

        files(
            name = "programs",
            srcs = {"/bin/busybox": "busybox"},
            mode = "0755",
        )

        distroless_image(
            name = "image",
            contents = [":programs"],
            entrypoint = ["/bin/busybox", "sh", "-c"],
            cmd = ["echo said by cmd"],
            env = {"FROM": "image"},
            waive = {"*": "it is to be looked at from inside"},
        )

        distroless_image(
            name = "none",
            contents = [":programs"],
            entrypoint = ["/bin/bash"],
            allow_missing = ["/bin/bash"],
            waive = {"*": "it is to be looked at from inside"},
        )
        """,
}


class Machine:
    """The commands of a workspace with one image, under one runtime."""

    def __init__(self, folder: Path, program: bytes) -> None:
        self.commands = Commands(folder, FILES)
        (self.commands.root / "busybox").write_bytes(program)
        self.runtime = next((name for name in ("crun", "runc") if find(name)), "")

    def started(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``distroless run``."""
        variables = {**os.environ, "DISTROLESS_CACHE": str(self.commands.cache), "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", CODE, "run", "--runtime", self.runtime, *words],
            cwd=self.commands.root,
            env=variables | (env or {}) | {"PWD": str(self.commands.root)},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *words: str, stdin: str = "", env: dict[str, str] | None = None, flags: Sequence[str] = ()
    ) -> tuple[int, str, str]:
        """Run ``distroless run`` and give its status and what was printed."""
        process = self.started(*flags, "//:image", *words, env=env)
        out, err = process.communicate(stdin, timeout=300)
        return process.returncode, out, err


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    if not find("crun") and not find("runc"):
        pytest.skip("neither crun nor runc is installed")
    folder = tmp_path_factory.mktemp("run")
    return Machine(folder, busybox.program(folder))


def test_the_program_speaks_and_nobody_else(machine: Machine) -> None:
    assert machine.run() == (0, "said by cmd\n", "")


def test_arguments_take_the_place_of_cmd_and_the_status_is_the_programs(machine: Machine) -> None:
    assert machine.run("--", "echo $0 --help; echo wrong >&2; exit 41", "--debug") == (
        41,
        "--debug --help\n",
        "wrong\n",
    )
    assert machine.run("echo without dashes") == (0, "without dashes\n", "")
    assert machine.run("--", "exit 2")[0] == 2


def test_streams_are_the_programs(machine: Machine) -> None:
    assert machine.run("--", "/bin/busybox cat", stdin="one\ntwo\n") == (0, "one\ntwo\n", "")


def test_variables(machine: Machine) -> None:
    said = "echo $FROM-$GIVEN-$PASSED-${ABSENT-absent}-$HIDDEN"
    flags = ["-e", "GIVEN=a=b", "--env", "PASSED", "-e", "ABSENT", "-e", "FROM=me"]
    env = {"PASSED": "along", "HIDDEN": "x"}
    assert machine.run("--", said, env=env, flags=flags) == (0, "me-a=b-along-absent-\n", "")


def test_volumes_user_and_a_read_only_root(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("from here\n", "utf-8")
    (tmp_path / "text").chmod(0o644)
    flags = ["-v", f"{tmp_path / 'text'}:/srv/text:ro", "--read-only", "--user", "0"]
    said = "/bin/busybox id -u; /bin/busybox cat /srv/text; echo > /new"
    status, out, err = machine.run("--", said, flags=flags)
    assert (status, out) == (1, "0\nfrom here\n")
    assert "Read-only file system" in err


def test_the_network(machine: Machine) -> None:
    said = "/bin/busybox ls /sys/class/net | /bin/busybox wc -l"
    assert machine.run("--", said, flags=["--network", "none"])[:2] == (0, "1\n")


def test_a_signal_reaches_the_program(machine: Machine) -> None:
    process = machine.started("//:image", "--", "trap 'echo caught; exit 5' TERM; echo ready; while :; do :; done")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (5, "caught\n", "")


def test_a_program_that_is_not_there(machine: Machine) -> None:
    process = machine.started("//:none")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, "")
    assert err == 'distroless: cannot start "/bin/bash": the image does not have it\n'


def test_a_build_that_fails_starts_nothing(machine: Machine) -> None:
    text = """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")
        files(name = "a", srcs = {"/a": "one"})
        files(name = "b", srcs = {"/a": "two"})
        distroless_image(name = "image", contents = [":a", ":b"], entrypoint = ["/a"])
        """
    machine.commands.write({"broken/BUILD": text, "broken/one": "1", "broken/two": "2"})
    for flags in ((), ("--keep-going",)):
        process = machine.started("//broken:image", *flags)
        out, err = process.communicate(timeout=300)
        assert out == ""
        assert process.returncode in (1, 2)
        assert "/a" in err
        assert "not an image" not in err
