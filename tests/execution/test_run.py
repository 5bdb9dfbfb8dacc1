"""Run actions in sandboxes of this machine: what they see and what is refused, beside what holds of every executor.

The rest is in ``tests/conformance/commands_test.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import ActionError, SandboxError
from distroless_rules.sandbox import sandbox as sandboxes
from tests.support import busybox
from tests.support.commands import made, root_of, run, tree
from tests.support.workshop import JOIN, Workshop, action, out, source

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return root_of(busybox.program(tmp_path_factory.mktemp("busybox")))


@pytest.fixture
def shop(tmp_path: Path, root: bytes) -> Workshop:
    made_ = Workshop(tmp_path, {"Join": JOIN}, mirror={"root": root})
    made_.root.mkdir()
    return made_


def text(shop: Workshop, root: bytes, script: str, *inputs: Artifact, **variables: str) -> str:
    """Give what a command leaves in its output."""
    done = shop.build([run("a", script, tree(root), inputs, environment=variables)], made("a"))
    return shop.blob(done.outcome.digests[made("a")]).read_text()


def refusal(
    shop: Workshop, root: bytes, script: str, *inputs: Artifact, folder: bool = False, seconds: int = 120
) -> str:
    """Give why a command's action fails, and see that it leaves nothing behind."""
    outputs = [made("a", folder=folder)]
    done = shop.build([run("a", script, tree(root), inputs, outputs, seconds=seconds)], outputs[0])
    (failure,) = done.outcome.failures
    assert isinstance(failure.error, ActionError)
    assert os.listdir(shop.cache / "sandbox") == []
    assert not list((shop.cache / "ac").rglob("*/*"))
    return str(failure.error).removeprefix("cannot perform Shell for a: ")


def test_what_a_command_sees(shop: Workshop, root: bytes) -> None:
    shop.write("app/data.txt", b"data\n")
    shop.write("app/tool.sh", b"#!/bin/sh\necho tool\n")
    shop.write("app/unnamed.txt", b"")
    script = "(find . -type f | sort; ls -a /; id -un; id -g; env | sort; pwd; app/tool.sh; cat app/data.txt) > $OUT"
    inputs = [source("app/data.txt"), source("app/tool.sh")]
    assert text(shop, root, script, *inputs) == (
        "./app/data.txt\n./app/tool.sh\n./distroless-out/a/out\n"
        ".\n..\nbin\nbuild\ndev\netc\nproc\nsys\ntmp\nusr\n"
        "build\n1000\n"
        "OUT=distroless-out/a/out\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/build\nSHLVL=1\nSOURCE_DATE_EPOCH=0\nTMPDIR=/tmp\n"
        "/build\ntool\ndata\n"
    )


def test_an_input_is_not_written(shop: Workshop, root: bytes) -> None:
    shop.write("app/data.txt", b"data\n")
    first = action("app", parameters={"text": "made\n"})
    script = """
    for file in app/data.txt distroless-out/app/out /etc/passwd; do
        for change in "echo x > $file" "echo x >> $file" "chmod 777 $file" "touch $file" "ln $file /tmp/x"; do
            if eval "$change" 2>/tmp/why; then echo "$change"; fi
        done
    done > $OUT
    rm app/data.txt 2>/tmp/why || mv app app2 2>/tmp/why || mkdir app/b 2>/tmp/why || true
    cat app/data.txt distroless-out/app/out >> $OUT
    """
    inputs = [source("app/data.txt"), out("app")]
    done = shop.build([first, run("app/b", script, tree(root), inputs)], made("app/b"), out("app"))
    assert shop.blob(done.outcome.digests[made("app/b")]).read_text() == "data\nmade\n"
    assert shop.blob(done.outcome.digests[out("app")]).read_text() == "made\n"


def test_modes_that_keep_its_owner_out(shop: Workshop, root: bytes) -> None:
    output = made("a", folder=True)
    script = "mkdir -p $OUT/b; echo 1 > $OUT/b/x; chmod 0 $OUT/b/x $OUT/b $OUT; chmod 0 distroless-out/a"
    digest = shop.build([run("a", script, tree(root), (), [output])], output).outcome.digests[output]
    with tarfile.open(fileobj=BytesIO(shop.blob(digest).read_bytes())) as archive:
        assert [(each.name, each.mode) for each in archive] == [(".", 0o755), ("b", 0o755), ("b/x", 0o644)]


@pytest.mark.parametrize("consumer", ["elsewhere", "a"])
def test_a_folder_is_an_input(shop: Workshop, root: bytes, consumer: str) -> None:
    folder = made("a", "d", folder=True)
    first = run("a", "mkdir -p $OUT/b; echo 1 > $OUT/b/x; ln -s b/x $OUT/link", tree(root), (), [folder])
    script = "(cd distroless-out/a/d; find . | sort; cat link; touch b/y 2>&1 || true) > $OUT"
    output = made(consumer, "listing")
    done = shop.build([first, run("c", script, tree(root), [folder], [output])], output)
    shown = shop.blob(done.outcome.digests[output]).read_text()
    assert shown == ".\n./b\n./b/x\n./link\n1\ntouch: b/y: Read-only file system\n"


@pytest.mark.parametrize("folder", [False, True])
def test_a_pipe_is_refused(shop: Workshop, root: bytes, folder: bool) -> None:
    script = "mkdir -p $OUT; mkfifo $OUT/p" if folder else "mkfifo $OUT"
    inside = "/p" if folder else ""
    declares = "" if folder else ", and declares a file"
    said = f'it made "distroless-out/a/out{inside}" as a device, pipe or socket{declares}'
    assert refusal(shop, root, script, folder=folder) == said


def test_limits(shop: Workshop, root: bytes) -> None:
    shown = refusal(shop, root, "yes")
    assert shown.startswith("it was ended: it printed more than 64 MiB\n")
    assert len(shown) < 1000


def test_what_it_leaves_running_is_ended(shop: Workshop, root: bytes) -> None:
    script = "(trap '' HUP TERM; while :; do echo x >> distroless-out/a/late; sleep 0.01; done) & touch $OUT; sleep 0.1"
    assert refusal(shop, root, script) == 'it made, undeclared, "distroless-out/a/late"'


def test_a_source_file_that_changes_meanwhile(shop: Workshop, root: bytes) -> None:
    file = shop.write("data", b"1")

    def change(event: object) -> None:
        if type(event).__name__ == "ActionStarted":
            file.write_bytes(b"22")

    done = shop.build([run("a", "cp data $OUT", tree(root), [source("data")])], made("a"), listener=change)
    assert done.errors == [
        'cannot use source file "data": it changed while it was used; build again when it is at rest'
    ]
    assert not list((shop.cache / "ac").rglob("*/*"))


def test_what_is_known_is_not_run_again(shop: Workshop, root: bytes) -> None:
    actions = [run("a", "cat /proc/sys/kernel/random/uuid > $OUT", tree(root))]
    first = shop.build(actions, made("a"))
    second = shop.build(actions, made("a"))
    assert (first.ran, second.ran) == (["a"], [])
    assert first.outcome.digests == second.outcome.digests
    third = shop.build(
        [run("a", "cat /proc/sys/kernel/random/uuid > $OUT", tree(root), environment={"X": ""})], made("a")
    )
    assert third.ran == ["a"]


def test_a_failed_sandbox_can_be_entered_again(shop: Workshop, root: bytes) -> None:
    import shlex
    import subprocess

    shop.keep = True
    done = shop.build([run("a", "echo hello; exit 3", tree(root))], made("a"))
    (line,) = re.findall(r"to run it again in its sandbox: (.*)", done.errors[0])
    again = subprocess.run(shlex.split(line), capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (3, "hello\n")


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "mode"])
def test_a_damaged_tree_is_laid_out_again(shop: Workshop, root: bytes, damage: str) -> None:
    assert text(shop, root, "cat /etc/passwd > $OUT").startswith("build:")
    (place,) = (path for path in (shop.cache / "trees").iterdir() if path.is_dir())
    file = place / "etc/passwd"
    if damage == "changed":
        file.chmod(0o644)
        file.write_bytes(b"other\n")
    elif damage == "added":
        (place / "etc/more").write_bytes(b"")
    elif damage == "removed":
        file.unlink()
    else:
        file.chmod(0o600)
    assert text(shop, root, "cat /etc/passwd > $OUT; ls /etc >> $OUT") == "build:x:1000:1000::/build:/bin/sh\npasswd\n"


def test_a_machine_without_bubblewrap(shop: Workshop, root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    sandboxes.sandbox.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert sandboxes.sandbox().name == "namespaces"
    assert text(shop, root, "id -u > $OUT") == "1000\n"
    sandboxes.sandbox.cache_clear()


def test_a_machine_without_a_sandbox(shop: Workshop, root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    sandboxes.sandbox.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sandboxes, "_tried", lambda kind: f"{kind.name}: Operation not permitted")
    with pytest.raises(SandboxError) as caught:
        sandboxes.sandbox()
    assert "bubblewrap is not installed; namespaces: Operation not permitted; allow user namespaces" in str(
        caught.value
    )
    assert str(caught.value).endswith("; or try: apt install bubblewrap")
    done = shop.build([run("a", "touch $OUT", tree(root))], made("a"))
    assert done.errors[0].startswith("cannot make a sandbox")
