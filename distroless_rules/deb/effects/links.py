"""The links that make one tree of ``/`` and ``/usr``, and of ``/var/run`` and ``/run``.

Source: Debian policy 4.7 section 9.1.1 and 10.1; base-files' postinst; Filesystem Hierarchy Standard 3.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.deb.effects.effect import Change, Effect, Scene, link

__all__ = ["USR_MERGE", "VAR_RUN"]

# Where the program interpreter of these architectures lies, by their ABIs: /lib64 is only theirs.
_LIB64 = frozenset({"amd64", "ppc64el", "loong64"})


def _usr_merge(scene: Scene) -> Iterator[Change]:
    names = ["bin", "lib", "sbin"]
    if scene.platform.deb in _LIB64:
        names.append("lib64")
    for name in names:
        yield link(name, f"usr/{name}")


def _var_run(_: Scene) -> Iterator[Change]:
    yield link("var/run", "/run")
    yield link("var/lock", "/run/lock")


USR_MERGE = Effect(
    "usr-merge",
    "/bin, /sbin, /lib and, where the platform has it, /lib64 are links into /usr, with what debs ship under them.",
    _usr_merge,
)
VAR_RUN = Effect("var-run", "/var/run and /var/lock are links to /run and /run/lock.", _var_run)
