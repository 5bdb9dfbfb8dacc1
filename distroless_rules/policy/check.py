"""The checks of the hardening policy: a table, each with what it finds, why that matters, and what to do.

``docs/policy.md`` shows the same table; a test holds one to the other. What a check looks at is in the modules beside
this one; what a finding counts for is settled in ``verdict``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CHECKS", "LEVELS", "Check"]

LEVELS = ("note", "warning", "error")
"""How much a finding counts, from little to much; an error fails the build. The words are SARIF's."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        id: its name in waivers.
        level: what its findings count for.
        what: what must not be there, to be read after "an image has".
        why: why it matters.
        advice: what to do about it.
        of_debs: what findings in files of debs count for, where that is less.
        of_trees: the same of trees: wheels, packages of Node, folders that a command made.
    """

    id: str
    level: str
    what: str
    why: str
    advice: str
    of_debs: str = ""
    of_trees: str = ""

    def level_of(self, kind: str) -> str:
        """Give what a finding counts for in a file of an owner of this kind (``closure.owner``)."""
        return {"deb": self.of_debs, "tree": self.of_trees}.get(kind) or self.level


_SURFACE = (
    Check(
        "shell",
        "error",
        "a shell",
        "whoever can make the program start another one has a shell to start",
        "leave out the deb or file that brings it; start the program itself in entrypoint",
    ),
    Check(
        "package-manager",
        "error",
        "a package manager",
        "it fetches and installs what nobody has looked at",
        "install while the image is built; leave it out of the image",
    ),
    Check(
        "interpreter",
        "error",
        "an interpreter that no target names and no program needs",
        "it runs whatever text can be got into the image",
        "exclude the deb that brings it, or name it in contents if the program needs it",
    ),
    Check(
        "compiler",
        "error",
        "a compiler, assembler, linker or build tool",
        "it only builds, and it makes new programs inside of the container",
        "leave it in the build stage",
    ),
    Check(
        "debugger",
        "error",
        "a debugger or tracer that contents does not name",
        "it reads the memory of the program",
        "leave it out, or attach one from outside of the container",
    ),
    Check(
        "network-client",
        "error",
        "a network client that contents does not name",
        "it fetches an attacker's tools and sends away what they find",
        "exclude the deb that brings it, or name it in contents if the program starts it",
    ),
    Check(
        "headers",
        "error",
        "headers of C or C++",
        "only a compiler reads them",
        "leave them out; debs lose theirs unless keep names them",
        of_trees="warning",
    ),
    Check(
        "static-library",
        "error",
        "a static library or object file",
        "only a linker reads it",
        "leave it out; debs lose theirs unless keep names them",
        of_trees="warning",
    ),
    Check(
        "documentation",
        "warning",
        "manual pages or other documentation for people",
        "nobody reads it there; licences are no such thing and stay",
        "leave it out",
    ),
    Check(
        "leftover",
        "warning",
        "lists, caches, logs or histories of installing and building",
        "they are of no use when the image runs, and tell how it was made",
        "leave them out",
    ),
)
_PERMISSIONS = (
    Check(
        "setuid",
        "error",
        "a setuid or setgid file",
        "who runs it has the rights of its owner",
        "take the bits away: debs lose theirs unless keep names the file",
    ),
    Check(
        "capabilities",
        "error",
        "a file with capabilities",
        "who runs it has them",
        "take them away; give the container what it needs when it is started",
    ),
    Check(
        "device",
        "error",
        "a device, or a FIFO or socket",
        "it leads past the files of the image, to hardware or to another program",
        "leave it out; runtimes make those of /dev",
    ),
    Check(
        "world-writable",
        "error",
        "a file or folder that everybody may write to, other than /tmp with its sticky bit",
        "everybody can change what others read or run",
        "give it a narrower mode",
    ),
    Check(
        "owned-program",
        "error",
        "a program or library that the image's user may change",
        "whoever takes the program over can replace it for good",
        "let root own it: owner 0:0, mode 0755",
    ),
    Check(
        "read-only-root",
        "error",
        "a folder that is the image's user's to write to and that no volume is mounted on",
        "the program needs it, and a root file system that is mounted read-only does not let it write",
        "name it in volumes, or write to /tmp",
    ),
    Check(
        "dangling-link",
        "error",
        "a symbolic link that leads nowhere",
        "whoever can make the file it names chooses what programs find there",
        "leave it out, or add what it leads to",
    ),
    Check(
        "escaping-link",
        "error",
        "a symbolic link that climbs above the image's root",
        "where the image is unpacked to a folder it leads out of that folder",
        "let it name a path below the root",
    ),
)
_IDENTITY = (
    Check(
        "root-user",
        "error",
        "a program that is started as root",
        "whoever takes it over is root in the container",
        'say user = "nonroot", or another account',
    ),
    Check(
        "user-by-name",
        "warning",
        "a user that its config gives by name",
        "Kubernetes cannot see that it is not root",
        "give its number",
    ),
    Check(
        "second-root",
        "error",
        "an account other than root with the number 0",
        "it is root under another name",
        "give it a number of its own",
    ),
    Check(
        "password",
        "error",
        "an account with a password, or one that needs none",
        "passwords in images are everybody's",
        'write "*" or "x" in its place, and "*" in shadow',
    ),
)
_SECRETS = (
    Check(
        "secret",
        "error",
        "a file with a token, password or key of a well-known form",
        "whoever has the image has it, in whichever layer it is",
        "revoke it; mount it when the container is started",
    ),
    Check(
        "private-key",
        "error",
        "a private key",
        "whoever has the image has it, in whichever layer it is",
        "replace the key; mount it when the container is started",
    ),
    Check(
        "credential-file",
        "error",
        "a file in which programs keep credentials",
        "it is there to hold what nobody else may know",
        "mount it when the container is started",
    ),
    Check(
        "config-secret",
        "error",
        "a secret in an environment variable, label, argument or the history",
        "everybody who may look at the image's config reads it",
        "revoke it; give it when the container is started",
    ),
    Check(
        "version-control",
        "error",
        "a .git folder, or another version control's",
        "it holds all that was ever committed, secrets that were removed included",
        "leave it out: name files, or exclude it in glob()",
    ),
)
_CONFIG = (
    Check(
        "entrypoint",
        "error",
        "a program to start that is not there or cannot be started",
        "the container ends before it begins",
        "correct entrypoint, or add the program",
    ),
    Check(
        "shell-form",
        "error",
        "an entrypoint or cmd that a shell must read",
        "it needs a shell, which does not pass signals on",
        "give the program and its arguments as a list",
    ),
    Check(
        "workdir",
        "warning",
        "a working directory that is not there",
        "runtimes make it, as root's, or cannot where the root is read-only",
        "make it with files(directories = ...)",
    ),
    Check(
        "privileged-port",
        "warning",
        "an exposed port below 1024",
        "it takes a capability, or root, to listen on it",
        "listen on a port from 1024 on",
    ),
)
_ELF = (
    Check(
        "pie",
        "error",
        "a program that is always loaded at the same address",
        "an attacker knows where its code is",
        "compile with -fPIE, link with -pie; the Go compiler's are a note only",
        of_debs="note",
        of_trees="warning",
    ),
    Check(
        "relro",
        "error",
        "a program or library whose relocations stay writable",
        "overwriting them redirects calls",
        "link with -Wl,-z,relro,-z,now; the Go compiler's are a note only",
        of_debs="note",
        of_trees="warning",
    ),
    Check(
        "executable-stack",
        "error",
        "a program or library that asks for an executable stack",
        "what is written to the stack can be run",
        "link with -Wl,-z,noexecstack",
        of_debs="note",
        of_trees="warning",
    ),
    Check(
        "writable-code",
        "error",
        "a program or library with a segment that is writable and executable",
        "what is written there can be run",
        "see which option or linker script makes it",
        of_debs="note",
        of_trees="warning",
    ),
    Check(
        "text-relocations",
        "error",
        "a program or library with relocations in its code",
        "its code has to be writable while it is loaded",
        "compile with -fPIC",
        of_debs="note",
        of_trees="warning",
    ),
    Check(
        "stack-canary",
        "warning",
        "a program or library that does not check its stack",
        "an overflow there goes unseen; none is expected of Go and Rust, nor of files too small to have arrays",
        "compile with -fstack-protector-strong",
        of_debs="note",
        of_trees="note",
    ),
    Check(
        "run-path",
        "error",
        "a program or library that looks for libraries where others than root can put some",
        "they choose its code",
        "link without -rpath, or with a folder of root's",
    ),
)
_ORIGIN = (
    Check(
        "licence",
        "error",
        "a deb without its licence",
        "Debian policy 12.5: who passes a deb's files on passes its copyright file on",
        "do not exclude /usr/share/doc/<deb>/copyright",
    ),
    Check(
        "unowned-file",
        "note",
        "a file that belongs to no deb and no target",
        "nobody will say when it must be renewed",
        "bring it by a deb, or by a target of a BUILD file",
    ),
    Check(
        "unmodelled-script",
        "error",
        "a deb whose maintainer script does something that nobody has modelled",
        "the deb is not as its packager left it",
        "see what the script does, and make it with files() where it matters",
    ),
)
_BUDGETS = (
    Check(
        "size-budget",
        "error",
        "more bytes than the policy's max_size",
        "an image grows unseen",
        "`distroless inspect --unreached` lists what nothing needs",
    ),
    Check(
        "file-budget",
        "error",
        "more files than the policy's max_files",
        "an image grows unseen",
        "`distroless inspect --unreached` lists what nothing needs",
    ),
    Check(
        "unused-waiver",
        "note",
        "a waiver that waives nothing",
        "it would hide what comes later",
        "remove it",
    ),
)

CHECKS: Mapping[str, Check] = {
    check.id: check
    for group in (_IDENTITY, _SURFACE, _PERMISSIONS, _SECRETS, _CONFIG, _ELF, _ORIGIN, _BUDGETS)
    for check in group
}
"""Every check by its id, in the order of the documentation."""
