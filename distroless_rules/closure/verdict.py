"""What the gate found, as one error: findings in, a message that says who lacks what, and what to do, out.

Source: Debian policy 4.7, 8.1 (names of debs with shared libraries).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from distroless_rules.closure.gate import Finding
from distroless_rules.errors import MissingError

__all__ = ["deb_names", "error", "hint", "wanted"]

_SHOWN = 8
_LIBRARY = re.compile(r"(lib[^/]+?)\.so(?:\.([0-9]+)(?:\.[0-9.]+)?)?")
_UNSTABLE = re.compile(r"(lib[^/]+?-[0-9][0-9.]*)\.so")
_PROGRAMS = {"sh": "dash", "env": "coreutils", "awk": "mawk", "node": "nodejs", "pwsh": "powershell"}
_MODULES = {"tkinter": "python3-tk", "_tkinter": "python3-tk", "distutils": "python3-setuptools", "gi": "python3-gi"}
_STANDARD = "json asyncio sqlite3 ssl email http logging unittest xml ctypes multiprocessing concurrent html wsgiref"


def error(findings: Sequence[Finding], excluded: Sequence[str] = ()) -> MissingError:
    """Give the error for findings, of which there is at least one.

    Args:
        findings: what the gate found.
        excluded: the debs that the image excludes.
    """
    lines = [f'"/{each.path}" of {each.owner} {each.problem}' for each in findings[:_SHOWN]]
    if len(findings) > _SHOWN:
        lines.append(f"and {len(findings) - _SHOWN} more")
    lines[0] += ", and the image has none" if _is_absence(findings[0]) else ""
    given = MissingError("put the image together", "\n  ".join(lines), hint=hint(findings, {}, excluded))
    given.findings, given.excluded = tuple(findings), tuple(excluded)
    return given


def wanted(findings: Sequence[Finding]) -> list[str]:
    """Give what would have to be added, of the findings that an error shows, each once."""
    return list(dict.fromkeys(each.wants for each in findings[:_SHOWN] if not each.advice))


def hint(findings: Sequence[Finding], found: Mapping[str, Sequence[str]], excluded: Sequence[str] = ()) -> str:
    """Say what to do.

    Args:
        findings: what the gate found.
        found: what is wanted -> the labels of debs that have it, the best first, empty if there are none; without an
            entry Debian's rules for names say which deb it may be.
        excluded: the debs that the image excludes.
    """
    shown = findings[:_SHOWN]
    waived = ", ".join(f'"{wants}"' for wants in dict.fromkeys(each.wants for each in shown))
    advice = ", ".join(_advice(shown, found, excluded)) or "add what is missing to contents"
    return f"{advice}, or say allow_missing = [{waived}]"


def _advice(findings: Sequence[Finding], found: Mapping[str, Sequence[str]], excluded: Sequence[str]) -> Iterator[str]:
    yield from dict.fromkeys(each.advice for each in findings if each.advice)
    choices = [_choices(each.wants, found) for each in findings if not each.advice]
    names = dict.fromkeys(choice[0] for choice in choices if choice)
    barred = [name for name in names if name.strip('"').rpartition("/")[2] in excluded]
    if barred:
        yield f"take {', '.join(name.strip(chr(34)).rpartition('/')[2] for name in barred)} out of exclude"
    instead = "".join(f", or {text}" for text in dict.fromkeys(each.instead for each in findings) if text)
    if added := [name for name in names if name not in barred] or (["it"] if instead else []):
        yield f"add {', '.join(added)} to contents{instead}"


def _choices(wants: str, found: Mapping[str, Sequence[str]]) -> list[str]:
    return [f'"{label}"' for label in found[wants]] if wants in found else deb_names(wants)


def _is_absence(finding: Finding) -> bool:
    return finding.problem.startswith(
        ("needs the library", "opens the library", "is a script", "asks for", "imports")
    ) and (";" not in finding.problem)


def deb_names(wants: str) -> list[str]:
    """Give what the deb that supplies something is usually called, the likeliest first; empty if nobody can say.

    Args:
        wants: as ``Finding.wants``.
    """
    module = wants.removeprefix("python:")
    if module != wants:
        if module in _STANDARD.split():
            return ["python3"]
        return [_MODULES.get(module, f"python3-{module.lower().replace('_', '-')}")]
    name = wants.rpartition("/")[2]
    if name.startswith("ld-linux"):
        return ["libc6"]
    if name.startswith("ld-musl"):
        return ["musl"]
    if match := _UNSTABLE.fullmatch(name):
        return [match[1].lower().replace("_", "-")]
    if (match := _LIBRARY.fullmatch(name)) and match[2]:
        stem = match[1].lower().replace("_", "-")
        stem = {"libcrypto": "libssl"}.get(stem, stem)
        known = {"libc": "libc6", "libm": "libc6", "libdl": "libc6", "libpthread": "libc6", "librt": "libc6"}
        if stem in known:
            return [known[stem]]
        joined = f"{stem}{'-' if stem[-1].isdigit() else ''}{match[2]}"
        return [joined, f"{joined}t64"]
    if ".so" not in name and ("/bin/" in wants or "/sbin/" in wants or "/" not in wants):
        return [_PROGRAMS.get(name, name)]
    return []
