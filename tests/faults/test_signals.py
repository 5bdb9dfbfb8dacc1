"""Ctrl-C and termination while BUILD files are read, debs come in and tools work: status 3, at once, nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.debs import make_deb, member
from tests.support.scene import BUILD, Scene, scene
from tests.support.server import Fault

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
INTERRUPTED = "\ndistroless: interrupted"  # on a line after the ^C that a terminal shows
HUGE = make_deb([member("zeros", data=bytes(400 << 20))], {"Package": "huge"}, compression="gzip", md5sums="")


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made
        made.server.heal()
        made.write({"BUILD": BUILD})
        made.recovers()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.005)


def ends(it: Scene, process: subprocess.Popen[str], number: int, error: str, *, group: bool = False) -> None:
    """Send a signal, as a terminal does to the whole group or to the process alone, and see how it ends."""
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    begun = time.monotonic()
    out, err = process.communicate(timeout=120)
    seconds = time.monotonic() - begun
    assert (process.returncode, out, it.shown(err)) == (3, "", f"{error}\n")
    assert seconds < 20  # what it waits for takes longer
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody is left of its session
    assert it.output() == it.digest


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("group", [False, True], ids=["process", "terminal"])
def test_while_a_deb_comes_in(built: Scene, number: int, group: bool) -> None:
    shutil.rmtree(built.cache)
    built.server.requests.clear()
    built.server.plant("/pool/main/s/small_1.0_amd64.deb", Fault(delay=60))
    process = built.start()
    wait_for(lambda: "/pool/main/s/small_1.0_amd64.deb" in built.server.paths(), process)
    ends(built, process, number, "distroless: cannot finish the build: it was interrupted", group=group)


def test_while_an_index_comes_in(built: Scene) -> None:
    built.write({"BUILD": BUILD.replace("small", "other")})
    before = len(built.server.requests)
    built.server.plant("/dists/trixie/InRelease", Fault(delay=60))
    process = built.start()
    wait_for(lambda: len(built.server.requests) > before, process)
    ends(built, process, signal.SIGINT, 'Locking debs: "@trixie//other" is new\n' + INTERRUPTED)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_a_tool_works(built: Scene, number: int) -> None:
    built.archive.add(HUGE)
    built.archive.publish("trixie")
    built.write({"BUILD": BUILD.replace("small", "huge")})
    assert built.run("lock").status == 0
    process = built.start()
    wait_for(lambda: any(size(path) > 1 << 20 for path in built.cache.rglob("tmp*/*")), process)
    ends(built, process, number, "distroless: cannot finish the build: it was interrupted")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("group", [False, True], ids=["process", "terminal"])
def test_while_a_build_file_is_evaluated(built: Scene, number: int, group: bool) -> None:
    built.write({"BUILD": "[x for x in range(1000000000) for y in range(1000000000) if False]\n"})
    process = built.start()
    wait_for(lambda: len(children(process.pid)) == 1, process)
    time.sleep(0.1)
    ends(built, process, number, INTERRUPTED, group=group)


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def test_a_killed_build_leaves_no_evaluation_behind(built: Scene) -> None:
    built.write({"BUILD": "[x for x in range(1000000000) for y in range(1000000000) if False]\n"})
    process = built.start()
    wait_for(lambda: children(process.pid), process)
    time.sleep(0.1)
    (child,) = children(process.pid)
    process.kill()
    process.communicate(timeout=120)
    limit = time.monotonic() + 60
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < limit
        time.sleep(0.01)
