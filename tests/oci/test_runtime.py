"""Images started by every runtime that is here, by root and by others: what the program sees, and what is left."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.errors import RequestError, RuntimeMissingError
from distroless_rules.oci import runtime
from distroless_rules.oci.config import Start
from distroless_rules.oci.runtime_commands import find
from tests.support import busybox
from tests.support.image import file, layout_of, tar
from tests.support.running import WHO, Runner

CASES = [pytest.param((name, who), id=f"{name}-{who}") for name in ("podman", "crun", "runc") for who in WHO]
START = Start(
    entrypoint=("/bin/sh", "-c"),
    cmd=("id -u",),
    env={"PATH": "/bin", "FROM": "image"},
    user="app",
    workdir="/srv",
    volumes=("/var/lib/app",),
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return busybox.program(tmp_path_factory.mktemp("busybox"))


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """Give a folder that everybody can look into."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def layout(shared: Path, program: bytes) -> Path:
    return busybox.image(shared / "layout", program, START)


@pytest.fixture
def folder(shared: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=shared) as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture(params=CASES)
def runner(request: pytest.FixtureRequest, folder: Path, layout: Path) -> Runner:
    name, who = request.param
    if not find(name):
        pytest.skip(f"{name} is not installed")
    if name == "podman" and who != "root" and Path("/sys/fs/cgroup/unified").is_dir():
        pytest.skip("podman needs cgroups of one version")
    return Runner(folder, layout, name, who)


def is_user(runner: Runner, uid: str) -> bool:
    """Say whether a program runs as a user; runc without root can only do it as user 0, and says so."""
    return uid == ("0" if runner.name == "runc" and runner.who != "root" else "1234")


@pytest.mark.runtime
def test_program_sees_what_the_image_says(runner: Runner) -> None:
    done = runner.run("id -u; pwd; cat data; echo $FROM $HOME $PATH; readlink /proc/self/exe; exit 7")
    uid, *rest = done.stdout.splitlines()
    assert is_user(runner, uid), done.stderr
    assert rest == ["/srv", "data", "image /home/app /bin", "/bin/busybox"]
    assert done.returncode == 7


@pytest.mark.runtime
def test_cmd_is_run_without_arguments(runner: Runner) -> None:
    assert is_user(runner, runner.run().stdout.strip())


@pytest.mark.runtime
def test_streams_are_passed_on(runner: Runner) -> None:
    done = runner.run("cat; echo problem >&2", stdin="one\ntwo\n")
    assert done.stdout == "one\ntwo\n"
    assert "problem\n" in done.stderr
    assert done.returncode == 0


@pytest.mark.runtime
def test_large_output_arrives_whole(runner: Runner) -> None:
    done = runner.run("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    assert done.stdout.splitlines() == [f"line {number}" for number in range(20_000)]


@pytest.mark.runtime
def test_environment_and_user_can_be_given(runner: Runner) -> None:
    done = runner.run("echo $FROM $MORE; id -u", env={"FROM": "me", "MORE": "a b=c"}, user="nonroot")
    said = done.stdout.splitlines()
    assert said[0] == "me a b=c", done.stderr
    assert said[1] in ("65532", "0")
    assert runner.run("id -u; id -g", user="0:0").stdout.split() == ["0", "0"]


@pytest.mark.runtime
def test_volumes_are_seen(runner: Runner, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data/file").write_text("from here\n")
    os.chmod(folder / "data", 0o777)
    script = "cat /mnt/a/file /ro/file; echo new > /mnt/a/new; touch /ro/no 2>/dev/null || echo refused"
    done = runner.run(script, volumes=[f"{folder}/data:/mnt/a", f"{folder}/data:/ro:ro"])
    assert done.stdout == "from here\nfrom here\nrefused\n", done.stderr
    assert (folder / "data/new").read_text() == "new\n"


@pytest.mark.runtime
def test_read_only_leaves_places_to_write(runner: Runner) -> None:
    script = "touch /home/app/x 2>/dev/null || echo refused; touch /tmp/x /run/x && echo ok"
    assert runner.run(script, read_only=True, user="0").stdout == "refused\nok\n"
    assert runner.run("touch /var/lib/app/x && echo ok", read_only=True, user="0").stdout == "ok\n"
    assert runner.run("touch /home/app/x && echo ok").stdout == "ok\n"


@pytest.mark.runtime
def test_network_is_this_machines_or_none(runner: Runner) -> None:
    here = os.readlink("/proc/self/ns/net")
    script = "readlink /proc/self/ns/net; cat /etc/hosts"
    assert runner.run(script).stdout.splitlines()[0] == here
    done = runner.run(script + "; ip -o addr show lo", network="none")
    inside, *rest = done.stdout.splitlines()
    assert inside != here, done.stderr
    assert any("localhost" in line for line in rest)
    assert any("127.0.0.1/8" in line for line in rest)


@pytest.mark.runtime
def test_usual_file_systems_are_there(runner: Runner) -> None:
    script = (
        "echo $$; echo x > /dev/null && echo null; [ -c /dev/urandom ] && echo urandom; [ -d /sys/kernel ] && echo sys;"
        "touch /dev/shm/x && echo shm; [ -e /dev/pts/ptmx ] && echo pts; touch /tmp/x && echo tmp"
    )
    assert runner.run(script).stdout.split() == ["1", "null", "urandom", "sys", "shm", "pts", "tmp"]


@pytest.mark.runtime
def test_program_is_not_deaf_to_broken_pipes(runner: Runner) -> None:
    done = runner.run("cat /proc/1/status")
    ignored = next(line for line in done.stdout.splitlines() if line.startswith("SigIgn"))
    assert int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1)) == 0


def begin(runner: Runner, script: str, **streams: int) -> subprocess.Popen[str]:
    """Start a program; give its process when it has said ``ready``."""
    process = subprocess.Popen(
        runner.command(f"echo ready; {script}"), env=runner.env, stdout=subprocess.PIPE, text=True, cwd="/", **streams
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.runtime
def test_the_end_of_one_is_not_the_end_of_another(runner: Runner) -> None:
    process = begin(runner, "read line; echo got $line; exit 5", stdin=subprocess.PIPE)
    for _ in range(2):
        words = runner.command("echo other; exit 3")
        other = subprocess.run(words, env=runner.env, capture_output=True, text=True, cwd="/", timeout=120, check=False)
        assert (other.returncode, other.stdout) == (3, "other\n"), other.stderr
        assert "cgroup" not in other.stderr
    out, _ = process.communicate("here\n", timeout=120)
    assert (process.returncode, out) == (5, "got here\n")
    runner.check_clean()


@pytest.mark.runtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_signal_ends_a_program_that_does_not_handle_it(runner: Runner, number: signal.Signals) -> None:
    # A shell that waits for nothing: without a handler the kernel keeps signals from a container's first process.
    process = begin(runner, "exec sleep 60")
    begun = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert time.monotonic() - begun < 8
    runner.check_clean()


@pytest.mark.runtime
def test_signal_reaches_the_program(runner: Runner) -> None:
    trap = "trap 'echo got; exit 3' TERM; trap 'echo usr' USR1; while :; do sleep 0.05; done"
    process = begin(runner, trap)
    assert process.stdout is not None
    time.sleep(0.2)  # until the traps are set
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == "usr\n"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert (said, process.returncode) == ("got\n", 3)
    runner.check_clean()


@pytest.mark.runtime
def test_program_that_ignores_the_second_signal_is_killed(runner: Runner) -> None:
    process = begin(runner, "trap 'echo no' TERM; while :; do sleep 0.05; done")
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "no\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    runner.check_clean()


def on_terminal(runner: Runner, script: str, typed: bytes, until: bytes, *, output: bool) -> tuple[bytes, int]:
    """Start a program on a terminal, type when it says something; give what it said and its exit status."""
    pid, master = pty.fork()
    if pid == 0:
        if not output:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        os.chdir("/")
        command = runner.command(script)
        os.execvpe(command[0], command, runner.env)
    said, deadline = b"", time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        said += data
        if until in said and typed:
            os.write(master, typed)
            typed = b""
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(master)
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.runtime
def test_terminal_is_one_for_the_program_too(runner: Runner) -> None:
    script = "tty >/tmp/x && echo terminal; read line; echo got $line; exit 4"
    said, status = on_terminal(runner, script, b"hello\r", b"terminal", output=True)
    assert b"got hello" in said
    assert status == 4
    runner.check_clean()


@pytest.mark.runtime
def test_ctrl_c_on_a_terminal_reaches_the_program(runner: Runner) -> None:
    script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    said, status = on_terminal(runner, script, b"\x03", b"ready", output=True)
    assert b"interrupted" in said
    assert status == 5
    runner.check_clean()


@pytest.mark.runtime
def test_ctrl_c_ends_a_program_whose_output_goes_elsewhere(runner: Runner) -> None:
    said, status = on_terminal(runner, "echo ready >&2; exec sleep 60", b"\x03", b"ready", output=False)
    assert b"ready" in said
    assert status == 128 + signal.SIGINT
    runner.check_clean()


@pytest.mark.runtime
@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("postgrs", 'cannot run as "postgrs": the image has no user "postgrs"'),
        ("nonrot", 'cannot run as "nonrot": the image has no user "nonrot"; did you mean "nonroot"?'),
        ("app:staff", 'cannot run as "app:staff": the image has no group "staff"'),
        ("99999999999", 'cannot run as "99999999999": "99999999999" is no number of a user or group'),
    ],
)
def test_unknown_users_are_refused(folder: Path, layout: Path, user: str, message: str) -> None:
    done = Runner(folder, layout, "crun", WHO[0]).run("true", user=user)
    assert done.stderr.strip().startswith(message)
    assert done.returncode == 202


def run(layout: Path, *arguments: str, **options: object) -> int:
    given = {"env": {}, "volumes": [], "network": "host", "user": None, "read_only": False, "runtime": None}
    return runtime.run(layout, list(arguments), warn=print, **(given | options))  # type: ignore[arg-type]


def test_no_runtime_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = layout_of(tmp_path / "image", [tar(file("a"))])
    monkeypatch.setattr(runtime, "find", lambda name: None)
    with pytest.raises(RuntimeMissingError) as caught:
        run(image)
    assert str(caught.value) == (
        "cannot start the image: none of podman, crun and runc is installed; install one: apt install crun"
    )
    with pytest.raises(RuntimeMissingError) as caught:
        run(image, runtime="runc")
    assert str(caught.value) == "cannot start the image: runc is not installed; apt install runc"
    with pytest.raises(RequestError, match='"crunn": it is not known; did you mean "crun"'):
        run(image, runtime="crunn")


def test_runtime_that_cannot_is_followed_by_the_next(
    folder: Path, layout: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not find("runc") or os.geteuid() != 0:
        pytest.skip("runc is not installed, or cannot be used")
    broken = folder / "crun"
    broken.write_text("#!/bin/sh\necho 'no room' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(runtime, "find", lambda name: {"crun": str(broken), "runc": find("runc")}.get(name))
    assert run(layout, "echo done; exit 9") == 9
    said = capfd.readouterr()
    assert said.out == "crun cannot start the container here; trying runc\ndone\n"
    assert said.err == "no room\n"
    monkeypatch.setattr(runtime, "find", lambda name: {"crun": str(broken)}.get(name))
    with pytest.raises(RuntimeMissingError, match="crun could not, as said above"):
        run(layout)


def test_image_with_nothing_to_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "find", lambda name: f"/bin/{name}")
    image = layout_of(tmp_path / "image", [tar(file("bin/tool", b"x"))])
    with pytest.raises(RequestError, match="it has no entrypoint and no cmd"):
        run(image)
    with pytest.raises(RequestError, match='cannot start "/bin/nosuch": the image does not have it'):
        run(image, "/bin/nosuch")
    with pytest.raises(RequestError, match='cannot start "tool": it is there, and cannot be executed'):
        run(image, "tool")
