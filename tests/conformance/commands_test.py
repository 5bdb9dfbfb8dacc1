"""What every executor of commands must do, here in a sandbox or on an engine: the same outputs, digests and errors.

A new executor is one more name in ``PLACES``.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.command import ROOT, Command, execution_path
from distroless_rules.errors import ActionError, Interrupted, TestError
from distroless_rules.values.digest import Digest
from tests.support import busybox, engines
from tests.support.commands import made, root_of, run, tree
from tests.support.workshop import JOIN, Workshop, action, out, source

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")

PLACES = ("here", "buildbox", pytest.param("pool", marks=pytest.mark.long))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return root_of(busybox.program(tmp_path_factory.mktemp("busybox")))


@pytest.fixture(scope="session")
def buildbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with engines.worker(tmp_path_factory.mktemp("engine") / "casd") as address:
        yield address


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with engines.buildgrid_pool(tmp_path_factory.mktemp("engine") / "buildgrid") as address:
        yield address


def _shop(folder: Path, root: bytes, place: str, request: pytest.FixtureRequest) -> Workshop:
    engine = "" if place == "here" else request.getfixturevalue(place)
    shop = Workshop(folder, {"Join": JOIN}, mirror={"root": root}, engine=engine)
    shop.root.mkdir(parents=True)
    return shop


@pytest.fixture(params=PLACES)
def shop(request: pytest.FixtureRequest, tmp_path: Path, root: bytes) -> Workshop:
    return _shop(tmp_path, root, request.param, request)


def text(shop: Workshop, root: bytes, script: str, *inputs: Artifact, **variables: str) -> str:
    """Give what a command leaves in its output."""
    done = shop.build([run("a", script, tree(root), inputs, environment=variables)], made("a"))
    assert done.errors == []
    return shop.blob(done.outcome.digests[made("a")]).read_text()


def refusal(shop: Workshop, root: bytes, script: str, *, folder: bool = False, seconds: int = 120) -> str:
    """Give why a command's action fails, and see that it leaves nothing behind."""
    outputs = [made("a", folder=folder)]
    done = shop.build([run("a", script, tree(root), (), outputs, seconds=seconds)], outputs[0])
    (failure,) = done.outcome.failures
    assert isinstance(failure.error, ActionError), failure.error
    assert shop.build([run("a", script, tree(root), (), outputs, seconds=seconds)], outputs[0]).ran == ["a"]
    return str(failure.error).removeprefix("cannot perform Shell for a: ")


def members(shop: Workshop, archive: bytes) -> list[tuple[str, int, str, int]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return [(each.name, each.mode, each.linkname, each.size) for each in opened]


def test_what_a_command_sees(shop: Workshop, root: bytes) -> None:
    shop.write("app/data.txt", b"data\n")
    shop.write("app/tool.sh", b"#!/bin/sh\necho tool\n")
    shop.write("app/unnamed.txt", b"")
    script = "(find . -type f | sort; ls -a /; env | sort; pwd; app/tool.sh; cat app/data.txt; umask) > $OUT"
    inputs = [source("app/data.txt"), source("app/tool.sh")]
    assert text(shop, root, script, *inputs) == (
        "./app/data.txt\n./app/tool.sh\n./distroless-out/a/out\n"
        ".\n..\nbin\nbuild\ndev\netc\nproc\nsys\ntmp\nusr\n"
        "OUT=distroless-out/a/out\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/build\nSHLVL=1\nSOURCE_DATE_EPOCH=0\nTMPDIR=/tmp\n"
        "/build\ntool\ndata\n0022\n"
    )


def test_times_and_modes_of_inputs(shop: Workshop, root: bytes) -> None:
    os.utime(shop.write("app/data.txt", b"data\n"), (1, 1))
    shop.write("app/tool.sh", b"#!/bin/sh\n").chmod(0o600)
    files = "app/data.txt app/tool.sh /usr/bin/busybox /etc/passwd"
    script = f"for f in {files}; do stat -c '%Y %n' $f; ! test -x $f || echo x; done > $OUT"
    inputs = [source("app/data.txt"), source("app/tool.sh")]
    seen = text(shop, root, script, *inputs)
    assert seen == "0 app/data.txt\n0 app/tool.sh\nx\n0 /usr/bin/busybox\nx\n0 /etc/passwd\n"


def test_what_other_actions_made_is_where_it_was_made(shop: Workshop, root: bytes) -> None:
    first = action("app", outputs=("x", "y"), parameters={"outputs": ["x", "y"], "text": "made\n"})
    outputs = [made("app", "z"), made("app/deep", "z")]
    script = "cat distroless-out/app/x distroless-out/app/y > $OUT; cp $OUT distroless-out/app/deep/z"
    second = run("b", script, tree(root), [out("app", "x"), out("app", "y")], outputs)
    done = shop.build([first, second], *outputs)
    assert [shop.blob(done.outcome.digests[each]).read_text() for each in outputs] == ["made\nmade\n"] * 2


def test_a_folder_is_an_archive_that_is_the_same_for_the_same_files(shop: Workshop, root: bytes) -> None:
    one = "umask 077; mkdir -p $OUT/b $OUT/empty; echo 1 > $OUT/b/x; echo '#!/bin/sh' > $OUT/run; chmod 700 $OUT/run"
    other = "mkdir -p $OUT/empty $OUT/b; echo '#!/bin/sh' > $OUT/run; chmod 755 $OUT/run; echo 1 > $OUT/b/x"
    link = "; ln -s b/x $OUT/link; ln $OUT/run $OUT/again"
    outputs = [made("a", folder=True), made("b", folder=True)]
    actions = [run(o.path[0], s + link, tree(root), (), [o]) for o, s in zip(outputs, (one, other), strict=True)]
    digests = shop.build(actions, *outputs).outcome.digests
    assert digests[outputs[0]] == digests[outputs[1]]
    assert members(shop, shop.blob(digests[outputs[0]]).read_bytes()) == [
        (".", 0o755, "", 0),
        ("again", 0o755, "", 10),
        ("b", 0o755, "", 0),
        ("b/x", 0o644, "", 2),
        ("empty", 0o755, "", 0),
        ("link", 0o777, "b/x", 0),
        ("run", 0o755, "", 10),
    ]


@pytest.mark.parametrize("consumer", ["elsewhere", "a"])
def test_a_folder_is_an_input(shop: Workshop, root: bytes, consumer: str) -> None:
    folder = made("a", "d", folder=True)
    first = run("a", "mkdir -p $OUT/b; echo 1 > $OUT/b/x; ln -s b/x $OUT/link", tree(root), (), [folder])
    script = "(cd distroless-out/a/d; find . | sort; cat link) > $OUT"
    output = made(consumer, "listing")
    done = shop.build([first, run("c", script, tree(root), [folder], [output])], output)
    assert done.errors == []
    assert shop.blob(done.outcome.digests[output]).read_text() == ".\n./b\n./b/x\n./link\n1\n"


REFUSED = {
    "true": 'it did not make "distroless-out/a/out"',
    "mkdir $OUT": 'it made "distroless-out/a/out" as a folder, and declares a file',
    "ln -s /etc/passwd $OUT": 'it made "distroless-out/a/out" as a symbolic link, and declares a file',
    "touch $OUT $OUT.log": 'it made, undeclared, "distroless-out/a/out.log"',
    "touch $OUT; mkdir -p distroless-out/a/b/c": 'it made, undeclared, "distroless-out/a/b"',
    "exit 3": "exit status 3\n  command: /bin/sh -e -c 'exit 3'",
    "echo a; echo b >&2; false": (
        "exit status 1\n  it printed:\na\nb\n  command: /bin/sh -e -c 'echo a; echo b >&2; false'"
    ),
    "printf '\\033[31mred\\tx\\377\\n'; false": (
        "exit status 1\n  it printed:\n\ufffd[31mred\tx\ufffd\n"
        "  command: /bin/sh -e -c 'printf '\"'\"'\\033[31mred\\tx\\377\\n'\"'\"'; false'"
    ),
    "kill -9 $$": "signal 9 ended it\n  command: /bin/sh -e -c 'kill -9 $$'",
    "cat app/unnamed.txt": (
        "exit status 1\n  it printed:\ncat: can't open 'app/unnamed.txt': No such file or directory\n"
        "  command: /bin/sh -e -c 'cat app/unnamed.txt'"
    ),
    "echo a\nfalse": "exit status 1\n  it printed:\na\n  command: /bin/sh -e -c ...; --sandbox-debug shows all of it",
}


@pytest.mark.parametrize("script", REFUSED)
def test_what_is_refused(shop: Workshop, root: bytes, script: str) -> None:
    shop.write("app/unnamed.txt", b"")
    assert refusal(shop, root, script) == REFUSED[script]


FOLDERS = {
    "touch $OUT": 'it made "distroless-out/a/out" as a file, and declares a directory',
    "mkdir -p $OUT; ln -s /etc/passwd $OUT/x": (
        'its link "distroless-out/a/out/x" leads out of the tree, to "/etc/passwd"'
    ),
    "mkdir -p $OUT/b; ln -s ../../x $OUT/b/x": (
        'its link "distroless-out/a/out/b/x" leads out of the tree, to "../../x"'
    ),
}


@pytest.mark.parametrize("script", FOLDERS)
def test_what_is_refused_of_folders(shop: Workshop, root: bytes, script: str) -> None:
    assert refusal(shop, root, script, folder=True) == FOLDERS[script]


def test_an_input_that_is_replaced_beside_an_output(shop: Workshop, root: bytes) -> None:
    first = action("a", outputs=("x",), parameters={"outputs": ["x"], "text": "made\n"})
    script = "rm distroless-out/a/x; echo other > distroless-out/a/x; touch $OUT"
    done = shop.build([first, run("b", script, tree(root), [out("a", "x")], [made("a", "z")])], made("a", "z"))
    assert done.errors == ['cannot perform Shell for b: it changed its input "distroless-out/a/x"']


def test_limits(shop: Workshop, root: bytes) -> None:
    assert refusal(shop, root, "echo before; sleep 100", seconds=1).startswith("it was ended after 1 seconds\n")


def test_a_source_file_that_changes_meanwhile(shop: Workshop, root: bytes) -> None:
    file = shop.write("data", b"1")

    def change(event: object) -> None:
        if type(event).__name__ == "ActionStarted":
            file.write_bytes(b"22")

    done = shop.build([run("a", "cp data $OUT", tree(root), [source("data")])], made("a"), listener=change)
    assert done.errors == [
        'cannot use source file "data": it changed while it was used; build again when it is at rest'
    ]


def test_what_a_command_prints_is_kept(shop: Workshop, root: bytes) -> None:
    with shop.open() as parts:
        parts.supply.fetch(tree(root), lambda: None)
        what = run("a", "echo warning >&2; touch $OUT", tree(root))
        result = parts.executor.execute(what, {ROOT: Digest.of(root)})
        assert result.printed == Digest.of(b"warning\n")
        assert not parts.store.missing([result.printed])


@pytest.mark.parametrize("status", [0, 3])
def test_what_a_test_prints_is_its_log(shop: Workshop, root: bytes, status: int) -> None:
    log = made("a", "log")
    declared = run("a", f"echo tested; exit {status}", tree(root), (), [log])
    command = replace(Command.load(declared.parameters), log=execution_path(log))
    done = shop.build([replace(declared, parameters=command.dump())], log)
    if status:
        (failure,) = done.outcome.failures
        assert isinstance(failure.error, TestError)
        assert (failure.error.cause, failure.error.printed) == ("exit status 3", "tested")
    else:
        assert shop.read(done, log) == b"tested\n"


def test_an_interruption_ends_it(shop: Workshop, root: bytes) -> None:
    with shop.open() as parts:
        parts.supply.fetch(tree(root), lambda: None)
        what = run("a", "sleep 100", tree(root))
        begun = time.monotonic()
        job = parts.pool.submit(lambda: parts.executor.execute(what, {ROOT: Digest.of(root)}))
        time.sleep(1)
        parts.pool.cancel()
        with pytest.raises(Interrupted):
            job.result()
        assert time.monotonic() - begun < 60


@pytest.mark.parametrize("place", PLACES[1:])
def test_digests_are_the_same_everywhere(
    tmp_path: Path, root: bytes, request: pytest.FixtureRequest, place: str
) -> None:
    big, folder = made("big"), made("folder", folder=True)
    each = "mkdir -p $OUT/$i; cp data $OUT/$i; echo $i > $OUT/$i/.x; chmod 755 $OUT/$i/.x"
    script = f"for i in $(cat data); do {each}; done; ln -s 1/data $OUT/l"
    actions = [
        run("big", "head -c 9000000 /dev/zero > $OUT", tree(root), (), [big]),
        run("folder", script, tree(root), [source("data")], [folder]),
        run("c", "cat distroless-out/folder/out/l distroless-out/big/out > $OUT", tree(root), [big, folder]),
    ]
    seen = []
    for each_place in ("here", place):
        shop = _shop(tmp_path / each_place, root, each_place, request)
        shop.write("data", b"1 2 3 4 5 6 7 8 9 a b c\n")
        done = shop.build(actions, big, folder, made("c"))
        assert done.errors == []
        seen.append(done.outcome.digests)
    assert seen[0] == seen[1]
