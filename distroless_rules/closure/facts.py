"""What is known of a file by its bytes alone: written once for each deb, and read by every image that has it.

A fact file is a JSON object from the SHA-256 of a file's bytes to what they are; files of which nothing is to be said
are not in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from distroless_rules.elf.read import Dlopen, Elf, Hardening
from distroless_rules.errors import FormatError

__all__ = ["Facts", "dumps", "loads"]


@dataclass(frozen=True, slots=True)
class Facts:
    r"""What a file is.

    Attributes:
        elf: what it says, if it is an ELF file.
        script: what stands after ``#!`` in its first line without blanks around it, as a kernel reads it, so with the
            ``\r`` of a line that ends in ``\r\n``; ``""`` if it is no script.
        broken: why it cannot be read though it begins as an ELF file, or ``""``.
    """

    elf: Elf | None = None
    script: str = ""
    broken: str = ""


def dumps(facts: Mapping[str, Facts]) -> bytes:
    """Write facts by the SHA-256 of the bytes that they are about; equal facts give equal bytes."""
    rows = {sha256: _row(each) for sha256, each in sorted(facts.items())}
    return json.dumps(rows, separators=(",", ":")).encode("ascii")


def _row(facts: Facts) -> Any:
    if facts.elf is not None:
        return list(astuple(facts.elf))
    return {"script": facts.script} if not facts.broken else {"broken": facts.broken}


def loads(data: bytes) -> dict[str, Facts]:
    """Read what ``dumps`` wrote.

    Raises:
        FormatError: if it is anything else.
    """
    try:
        return {
            sha256: Facts(_elf(row)) if isinstance(row, list) else Facts(**row)
            for sha256, row in json.loads(data).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError("read facts", f"they are not ours: {error}") from error


def _elf(row: list[Any]) -> Elf:
    (machine, bits, big, kind, interpreter, soname, needed, rpath, runpath, no_default, needs, defines, dlopen, opens,
     hard, dynamic) = row  # fmt: skip
    return Elf(
        machine, bits, big, kind, interpreter, soname, tuple(needed), tuple(rpath), tuple(runpath), no_default,
        tuple((file, version) for file, version in needs), tuple(defines),
        tuple(Dlopen(tuple(names), priority, feature) for names, priority, feature in dlopen),
        tuple(opens), Hardening(*hard), dynamic,
    )  # fmt: skip
