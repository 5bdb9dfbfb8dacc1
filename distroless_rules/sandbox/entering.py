"""Makes a sandbox with nothing but system calls, and becomes the command in it; a program of its own.

Usage: ``python -I -S entering.py JSON``; or, by ``namespaces``, ``main`` with three descriptors: of a file with what
the JSON says, as ``marshal`` writes it; of where the first process's number is told; of what is closed when the command
may begin. The JSON has ``mounts`` (rows of source, target, whether it can be written), ``words``, ``environment``,
``folder``, ``user`` and ``host``.

Linux alone; nothing is imported that costs much. Source: user_namespaces(7), pid_namespaces(7), mount_namespaces(7),
pivot_root(2), capabilities(7), proc(5).
"""

from __future__ import annotations

import ctypes
import errno
import marshal
import os
import struct
import sys

TYPE_CHECKING = False  # typing's costs milliseconds
if TYPE_CHECKING:
    from typing import Any, NoReturn

_NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000 | 0x02000000
"""User, mount, PID, network, IPC, UTS and cgroup: CLONE_NEW* of sched.h."""
_MS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "remount": 32, "bind": 4096, "rec": 16384, "private": 1 << 18}
# What a mount in another user namespace must keep: from the flags of statvfs(3) to those of mount(2).
_KEPT = {8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_TMP = 4 << 30  # bytes that /tmp may hold
_DETACH = 2
_SIGKILL = 9
_PLACE = "/proc"  # where the new root is put together: a folder that is there, and under which nothing of it lies
_LAST_CAPABILITY = 63
_PR = {"pdeathsig": 1, "dumpable": 4, "bounding_drop": 24, "no_new_privs": 38, "ambient": 47}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    texts = [os.fsencode(text) if text else None for text in (source, target, kind)]
    _check(_libc.mount(*texts, ctypes.c_ulong(flags), os.fsencode(data) if data else None), f"mount {target}")


def _bind(source: str, target: str, writable: bool) -> None:
    _mount(source, target, "", _MS["bind"] | _MS["rec"])
    found = os.statvfs(target).f_flag
    kept = sum(mount for flag, mount in _KEPT.items() if found & flag)
    flags = _MS["remount"] | _MS["bind"] | _MS["nosuid"] | _MS["nodev"] | kept
    _mount("", target, "", flags | (0 if writable else _MS["ro"]))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _unshare(user: list[int]) -> None:
    """Leave the namespaces of the machine; within, this process is ``user`` and may do all."""
    outer = os.geteuid(), os.getegid()
    if outer[0] == 0:
        os.setgroups([])
    _check(_libc.unshare(_NAMESPACES), "make namespaces")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user[0]} {outer[0]} 1")
    _write("/proc/self/gid_map", f"{user[1]} {outer[1]} 1")


def _lay_out(spec: dict[str, Any]) -> None:
    """Mount everything below the new root and make it the only one."""
    _mount("none", "/", "", _MS["rec"] | _MS["private"])
    root = _PLACE
    for source, target, writable in spec["mounts"]:
        _bind(source, root if target == "/" else f"{root}{target}", writable)
    safe = _MS["nosuid"] | _MS["nodev"] | _MS["noexec"]
    _mount("proc", f"{root}/proc", "proc", safe)
    _write(f"{root}/proc/sys/user/max_user_namespaces", "0")  # as long as it can be written
    _mount("", f"{root}/proc", "", _MS["remount"] | _MS["bind"] | _MS["ro"] | safe)
    _devices(f"{root}/dev")
    _mount("tmpfs", f"{root}/tmp", "tmpfs", _MS["nosuid"] | _MS["nodev"], f"mode=1777,size={_TMP}")
    os.chdir(root)
    _check(_libc.syscall(_pivot_root(), b".", b"."), "change the root")
    _check(_libc.umount2(b".", _DETACH), "leave the old root")
    os.chdir("/")


def _pivot_root() -> int:
    """Give the number of the system call, which glibc has no function for; arch/*/include of the kernel."""
    return {"x86_64": 155, "aarch64": 41, "riscv64": 41, "loongarch64": 41, "i686": 217, "armv7l": 218}.get(
        os.uname().machine, 203 if os.uname().machine.startswith("ppc") else 217
    )


def _devices(folder: str) -> None:
    _mount("tmpfs", folder, "tmpfs", _MS["nosuid"], "mode=755,size=65536")
    for name in (each for each in _DEVICES if os.path.exists(f"/dev/{each}")):
        open(f"{folder}/{name}", "w").close()
        _mount(f"/dev/{name}", f"{folder}/{name}", "", _MS["bind"])
    for name in ("pts", "shm"):
        os.mkdir(f"{folder}/{name}")
    _mount("devpts", f"{folder}/pts", "devpts", _MS["nosuid"] | _MS["noexec"], "newinstance,ptmxmode=0666,mode=620")
    _mount("tmpfs", f"{folder}/shm", "tmpfs", _MS["nosuid"] | _MS["nodev"], f"mode=1777,size={_TMP}")
    links = {"fd": "/proc/self/fd", "core": "/proc/kcore", "ptmx": "pts/ptmx"}
    links.update((name, f"/proc/self/fd/{number}") for number, name in enumerate(("stdin", "stdout", "stderr")))
    for name, target in links.items():
        os.symlink(target, f"{folder}/{name}")
    flags = _MS["remount"] | _MS["bind"] | _MS["nosuid"] | _MS["ro"]
    _mount("", folder, "", flags)


def _loopback() -> None:
    made = _check(_libc.socket(2, 2, 0), "make a socket")  # AF_INET, SOCK_DGRAM
    request = struct.pack("16sh14x", b"lo", 1)  # IFF_UP
    _check(_libc.ioctl(made, ctypes.c_ulong(0x8914), request), "bring the loopback up")  # SIOCSIFFLAGS
    os.close(made)


def _drop() -> None:
    """Give up every capability and every way to get one."""
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR["bounding_drop"], capability, 0, 0, 0) < 0:
            break  # the kernel knows no more
    _libc.prctl(_PR["ambient"], 4, 0, 0, 0)  # PR_CAP_AMBIENT_CLEAR_ALL
    _check(_libc.prctl(_PR["no_new_privs"], 1, 0, 0, 0), "set no_new_privs")
    header = struct.pack("Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _check(_libc.capset(header, bytes(24)), "drop capabilities")


def _hide() -> None:
    """Keep the command from seeing what started it: who may not be traced shows no memory, links or variables."""
    _check(_libc.prctl(_PR["dumpable"], 0, 0, 0, 0), "hide")
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end: fields 48 and 49, counted from 1
    ctypes.memset(start, 0, end - start)


def _first(spec: dict[str, Any], held: int) -> NoReturn:
    """Be the first process: set everything up, start the command, reap, and end as it ends."""
    _libc.prctl(_PR["pdeathsig"], _SIGKILL, 0, 0, 0)
    os.setsid()
    _lay_out(spec)
    host = spec["host"].encode()
    _check(_libc.sethostname(host, len(host)), "name the machine")
    _loopback()
    _drop()
    if held >= 0:
        while os.read(held, 4096):
            pass
        os.close(held)
    command = os.fork()
    if command == 0:
        _become(spec)
    _hide()
    while True:
        pid, status = os.wait()
        if pid == command:
            os._exit(status >> 8 if not status & 127 else 128 + (status & 127))


def _become(spec: dict[str, Any]) -> NoReturn:
    """Become the command; nothing can be imported here, as Python's files are gone."""
    words, environment = spec["words"], {**spec["environment"], "PWD": spec["folder"]}
    program = words[0]
    folders = [""] if "/" in program else environment.get("PATH", os.defpath).split(":")
    number = errno.ENOENT
    try:
        os.chdir(spec["folder"])
        os.closerange(3, 1 << 16)
        for folder in folders:
            try:
                os.execve(f"{folder}/{program}" if folder else program, words, environment)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                number = error.errno or number
    except OSError as error:
        number = error.errno or number
    os.write(2, f"sandbox: {program}: {os.strerror(number)}\n".encode())
    os._exit(127 if number == errno.ENOENT else 126)


def main(words: list[str]) -> NoReturn:
    """Make the sandbox that the words describe, run its command, and end as it ends."""
    told = held = -1
    if len(words) == 3:
        source, told, held = map(int, words)
        with open(source, "rb") as file:
            file.seek(0)
            spec = marshal.load(file)  # of our own making, a moment ago; reading JSON would cost 5 ms
    else:
        import json

        spec = json.loads(words[0])
    try:
        _libc.prctl(_PR["pdeathsig"], _SIGKILL, 0, 0, 0)
        _unshare(spec["user"])
        first = os.fork()
        if first == 0:
            if told >= 0:
                os.close(told)
            _first(spec, held)
    except OSError as error:
        os.write(2, f"sandbox: {error.args[-1]}\n".encode())
        os._exit(125)
    if told >= 0:
        os.write(told, b'{"child-pid": %d}' % first)
        os.close(told)
        os.close(held)
    status = os.waitpid(first, 0)[1]
    os._exit(status >> 8 if not status & 127 else 128 + (status & 127))


if __name__ == "__main__":
    main(sys.argv[1:])
