"""Probes: shell conditions that hold outside a sandbox and must not hold inside.

Each is tried in both places; one that does not hold outside proves nothing, and fails too.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from distroless_rules.sandbox.bubblewrap import Bubblewrap
from distroless_rules.sandbox.namespaces import Namespaces
from distroless_rules.sandbox.request import Limits, Request
from distroless_rules.sandbox.sandbox import Sandbox
from tests.support import busybox
from tests.support.commands import write_root

KINDS: dict[str, Callable[[], Sandbox]] = {
    "bubblewrap": lambda: Bubblewrap(shutil.which("bwrap") or "bwrap"),
    "namespaces": Namespaces,
}
LIMITS = Limits(seconds=60, memory=1 << 30, processes=200, output=1 << 20, file_size=1 << 24)
ROOT = os.geteuid() == 0
PACKAGE = Path(__file__).parents[2] / "distroless_rules"

# name -> what must not hold inside; a pair where what holds outside is written another way. `$D` is a folder of the
# host outside, and the folder of outputs inside; `data` is an input, and a file of the host.
PROBES: dict[str, str | tuple[str, str]] = {
    # Files
    "a file of the host": "[ -e $SECRET ]",
    "a file of the host through a process": "[ -e /proc/1/root$SECRET ] || [ -e /proc/self/root$SECRET ]",
    "the host's /etc": "[ -e /etc/hostname ] || [ -e /etc/debian_version ]",
    "/home": "[ -d /home ]",
    "/root": "[ -d /root ]",
    "/var": "[ -d /var ]",
    "/run": "[ -d /run ]",
    "/sys": "[ -e /sys/kernel ]",
    "the cache": "[ -e $CACHE ]",
    "the host's /tmp": "[ -e $TEMPORARY ]",
    "the host's /dev/shm": "[ -e $SHARED ]",
    "an undeclared file beside an input": "[ -e undeclared ]",
    "climbing out of the folder": "[ -e ../$NAME/undeclared ] || [ -e ../../$NAME/undeclared ]",
    # Writing
    "writing to an input": "echo x >> data",
    "truncating an input": "(: > data)",
    "changing an input's mode": "chmod 777 data",
    "touching an input": "touch data",
    "removing an input": ("rm -f data", "cp data data3 && rm -f data3"),
    "moving an input": ("mv data data2", "cp data data3 && mv data3 data4"),
    "linking an input": "ln data $D/hard",
    "adding a file beside inputs": "touch new",
    "adding a folder beside inputs": "mkdir newer",
    "swapping the folder of outputs": ("rm -rf out && ln -s /tmp out", "mkdir o && rm -rf o && ln -s /tmp o"),
    "writing to the root": ("touch /usr/bin/new", "touch $D/new"),
    "writing to a program": ("echo x >> /usr/bin/busybox", "echo x >> $D/program"),
    "writing to /etc": ("echo x >> /etc/passwd", "echo x >> $D/passwd"),
    "writing into a folder of devices": ("touch /dev/new/x || mknod /dev/x c 1 3", "touch $D/device"),
    # Processes
    "a process of the host": "[ -d /proc/$PID ]",
    "many processes": "[ $(ls -d /proc/[0-9]* | wc -l) -gt 6 ]",
    "signals to a process of the host": "kill -0 $PID",
    "the environment of a process of the host": "[ -r /proc/$PID/environ ]",
    "the session of the host": "[ $(cut -d' ' -f6 /proc/self/stat) = $SESSION ]",
    "the command line of what made the sandbox": ("grep -q $CACHE /proc/1/cmdline", "echo $CACHE | grep -q $CACHE"),
    "descriptors": "[ -e /proc/self/fd/$DESCRIPTOR ]",
    "shared memory of System V": "[ $(wc -l < /proc/sysvipc/shm) -gt 1 ]",
    # Network
    "a server of the loopback": "echo | nc -w 2 127.0.0.1 $PORT | grep -q hello",
    "an abstract socket": "grep -q $ABSTRACT /proc/net/unix",
    "a listening port": "grep -q $HEXPORT /proc/net/tcp",
    "interfaces": "[ $(ls /proc/sys/net/ipv4/neigh | wc -l) -gt 2 ]",
    # Who and where
    "variables": '[ -n "$LEAK" ]',
    "the home folder": '[ -n "$HOME" ]',
    "the user": "[ $(id -u) = $UID_OUTSIDE ]",
    "the name of the machine": "[ $(hostname) = $HOST ]",
    "the mask of new files": "[ $(umask) = 0077 ]",
    "core dumps": "[ $(ulimit -c) = unlimited ]",
    "standard input": "grep -q typed",
}
# These hold outside for root alone.
ROOTS: dict[str, str | tuple[str, str]] = {
    "capabilities": "grep -q 'CapEff:.*[1-9a-f]' /proc/self/status",
    "capabilities that could be had": "grep -q 'CapBnd:.*[1-9a-f]' /proc/self/status",
    "new privileges": "grep -q 'NoNewPrivs:.0' /proc/self/status",
    "settings of the kernel": "cat /proc/sys/kernel/domainname > /proc/sys/kernel/domainname",
    "how the kernel dumps core": "cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern",
    "names of the machine's blocks": '[ -n "$(ls /sys/block)" ]',
    "the log of the kernel": "dmesg",
    "devices": "[ -e /dev/kmsg ] || [ -e /dev/vda ] || [ -e /dev/mem ]",
    "making devices": "mknod $D/null c 1 3",
    "changing the root": "chroot / true",
    "changing owners": ("chown 12345 $D", "touch $D/o && chown 12345 $D/o"),
    "another user namespace": "unshare -r true",
    "another mount namespace": "unshare -m true",
    "mounting": ("mount -t tmpfs none /tmp", "unshare -m mount -t tmpfs none $D"),
    "mounting writable": (
        "mount -o remount,rw /",
        "unshare -m sh -c 'mount -t tmpfs none $D && mount -o remount,rw $D'",
    ),
    "unmounting": ("umount /build", "unshare -m sh -c 'mount -t tmpfs none $D && umount $D'"),
    "naming the machine": ("hostname other", "unshare -u hostname other"),
    "who started it": "[ $(id -u) = 0 ]",
}
ALL = PROBES | (ROOTS if ROOT else {})


def script(inside: bool) -> str:
    lines = []
    for number, probe in enumerate(ALL.values()):
        text = probe if isinstance(probe, str) else probe[0 if inside else 1]
        lines.append(f"if ( {text} ) >/dev/null 2>&1; then echo {number}; fi")
    return "\n".join(lines)


class World:
    """What is there on the host for a sandbox to find."""

    def __init__(self, folder: Path, program: bytes, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.host, self.inputs, self.out = folder / "host", folder / "inputs", folder / "out"
        for made in (self.host, self.inputs, self.out, self.host / "d"):
            made.mkdir()
        for name in ("data", "undeclared"):
            (self.host / name).write_text("host\n")
        (self.inputs / "data").write_text("input\n")
        (self.inputs / "out").mkdir()
        self.root = write_root(folder / "root", program)
        self.program = folder / "busybox"
        self.program.write_bytes(program)
        self.program.chmod(0o755)
        (folder / "secret").write_text("secret\n")

    def request(self, script: str, variables: Mapping[str, str], limits: Limits = LIMITS) -> Request:
        return Request(
            root=self.root,
            inputs=self.inputs,
            mounts={},
            writable={"out": self.out},
            arguments=("sh", "-c", script),
            environment={"PATH": "/usr/bin", **variables},
            output=self.folder / "said",
            limits=limits,
        )

    def inside(self, script: str, variables: Mapping[str, str]) -> list[str]:
        request = self.request(script, variables)
        request.output.unlink(missing_ok=True)
        assert self.sandbox.run(request, lambda: None).status == 0, request.output.read_text()
        return request.output.read_text().split()


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    if request.param == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    folder = tmp_path_factory.mktemp("world")
    return World(folder, busybox.program(folder), KINDS[request.param]())


@pytest.fixture(scope="module")
def variables(world: World) -> Iterator[dict[str, str]]:
    """Give what the probes' variables are, while servers, files and the like are there."""
    abstract = f"distroless-{os.urandom(6).hex()}"
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, 4096, 0o600 | 0o1000)  # IPC_PRIVATE, IPC_CREAT
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as unix,
        tempfile.NamedTemporaryFile(dir="/tmp") as temporary,
        tempfile.NamedTemporaryFile(dir="/dev/shm") as shared,
    ):
        unix.bind(f"\0{abstract}")
        unix.listen()
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        yield {
            "SECRET": str(world.folder / "secret"),
            "CACHE": str(world.root),
            "TEMPORARY": temporary.name,
            "SHARED": shared.name,
            "NAME": "host",
            "PID": str(os.getpid()),
            "SESSION": str(os.getsid(0)),
            "DESCRIPTOR": "9",
            "PORT": str(port),
            "HEXPORT": f":{port:04X}",
            "ABSTRACT": abstract,
            "UID_OUTSIDE": str(os.geteuid()),
            "HOST": socket.gethostname(),
        }
    libc.shmctl(segment, 0, None)  # IPC_RMID


def _greet(server: socket.socket) -> None:
    with suppress(OSError):  # it is closed at the end
        while True:
            with server.accept()[0] as connection:
                connection.sendall(b"hello\n")


def _outside(world: World, variables: Mapping[str, str], descriptor: int) -> list[str]:
    words = [str(world.program), "sh", "-c", "umask 077; ulimit -c unlimited; " + script(inside=False)]
    done = subprocess.run(
        words,
        cwd=world.host,
        env={**os.environ, **variables, "D": str(world.host / "d"), "LEAK": "1", "HOME": "/"},
        input="typed\n",
        capture_output=True,
        text=True,
        pass_fds=(descriptor,),
        check=True,
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def held(world: World, variables: dict[str, str]) -> dict[str, list[str]]:
    """Give the numbers of the probes that held, inside and outside."""
    descriptor = os.open(world.folder / "secret", os.O_RDONLY)
    try:
        before = {"LEAK": os.environ.get("LEAK")}
        os.set_inheritable(descriptor, True)
        os.environ["LEAK"] = "1"
        mask = os.umask(0o077)
        try:
            names = {**variables, "DESCRIPTOR": str(descriptor)}
            inside = world.inside(script(inside=True), {**names, "D": "out"})
            outside = _outside(world, names, descriptor)
        finally:
            os.umask(mask)
            os.environ.pop("LEAK")
            if before["LEAK"]:
                os.environ["LEAK"] = before["LEAK"]
        return {"inside": inside, "outside": outside}
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ALL)
def test_what_holds_outside_does_not_inside(held: dict[str, list[str]], name: str) -> None:
    number = str(list(ALL).index(name))
    assert number in held["outside"], "it proves nothing: it does not hold outside"
    assert number not in held["inside"]


SYSTEM = "/usr/bin/python3"
STRANGER = 54321
# As another user nothing but the standard library is to be had.
AS_ANOTHER = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from distroless_rules.sandbox.bubblewrap import Bubblewrap
from distroless_rules.sandbox.namespaces import Namespaces
request = pickle.load(open(sys.argv[2], "rb"))
kind = Namespaces() if sys.argv[3] == "namespaces" else Bubblewrap("bwrap")
print(kind.run(request, lambda: None).status)
"""


@pytest.mark.skipif(not ROOT or not os.access(SYSTEM, os.X_OK), reason="only root becomes another user")
def test_another_user_finds_no_more(world: World, variables: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(PACKAGE, folder / "distroless_rules", ignore=shutil.ignore_patterns("__pycache__"))
        other = World(folder, world.program.read_bytes(), world.sandbox)
        request = other.request(script(inside=True), {**variables, "D": "out", "UID_OUTSIDE": str(STRANGER)})
        (folder / "request").write_bytes(pickle.dumps(request, 4))
        for path in (folder, *folder.rglob("*")):
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
        words = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", SYSTEM, "-c", AS_ANOTHER]
        words += [name, f"{name}/request", world.sandbox.name]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd="/")
        held = [list(ALL)[int(number)] for number in request.output.read_text().split()]
        assert (done.stdout, held) == ("0\n", [])


def test_there_are_enough_probes() -> None:
    assert len(PROBES) + len(ROOTS) >= 60


def test_what_a_command_may_do(world: World) -> None:
    script = """
    cat data && echo x > out/x && mkdir out/d && echo y > /tmp/y && cat /tmp/y
    echo z > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && echo q > /dev/shm/q
    ls /proc/self/status && readlink /proc/self/cwd && umask
    """
    said = world.inside(script, {})
    assert said == ["input", "y", "4", "4", "/proc/self/status", "/build", "0022"]
    assert (world.out / "x").read_text() == "x\n"


LIMITED = {
    # As quick as it can be, it would take the machine from other tests: root's processes are counted, not capped.
    "processes": ("f() { sleep 0.02; f & f & wait; }; f", Limits(60, 1 << 30, 40, 1 << 20, 1 << 24)),
    "memory": ("x=a; while :; do x=$x$x; done", Limits(60, 1 << 27, 200, 1 << 20, 1 << 24)),
    "output": ("yes", Limits(60, 1 << 30, 200, 1 << 20, 1 << 30)),
    "time": ("while :; do :; done", Limits(0.5, 1 << 30, 200, 1 << 20, 1 << 24)),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_limits(world: World, limit: str) -> None:
    script, limits = LIMITED[limit]
    request = world.request(script, {}, limits)
    request.output.unlink(missing_ok=True)
    ended = world.sandbox.run(request, lambda: None)
    assert (ended.limit, ended.status) == (limit, 137)
    running = subprocess.run(["pgrep", "-f", str(world.root)], capture_output=True, text=True, check=False)
    assert running.stdout == ""


def test_a_file_that_grows_without_end(world: World) -> None:
    assert world.inside("head -c 100000000 /dev/zero > out/big; wc -c < out/big", {})[-1] == str(LIMITS.file_size)


def test_an_interruption_ends_it_all(world: World) -> None:
    class Stop(Exception):  # noqa: N818 - what the check raises
        pass

    def check() -> None:
        raise Stop

    request = world.request("(while :; do date > out/now; done) & while :; do sleep 1; done", {})
    with pytest.raises(Stop):
        world.sandbox.run(request, check)
    before = (world.out / "now").stat().st_mtime_ns
    threading.Event().wait(0.2)
    assert (world.out / "now").stat().st_mtime_ns == before
