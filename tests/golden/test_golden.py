"""Every error text that a user can meet while files are loaded and analysed, as it stands in the ``.txt`` files here.

A case is a title, after which patterns may stand (``=== title: //a //b``), a workspace as ``tests.support.workspace``
reads it, and after ``>>>`` the whole error. ``python -m tests.golden.test_golden`` writes the errors anew:
read what changed before you keep it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.workspace import error_of, files_in

FILES = sorted(Path(__file__).parent.glob("*.txt"))
_CASE = re.compile(r"^=== (.*)\n((?:(?!=== |>>> ).*\n)*)(?:>>> ((?:(?!=== ).*\n)*))?", re.MULTILINE)


def cases() -> list[tuple[str, str, str, str]]:
    """Give (file, title, workspace, error) of every case."""
    found = []
    for path in FILES:
        matches = list(_CASE.finditer(path.read_text("utf-8")))
        assert "".join(match[0] for match in matches) == path.read_text("utf-8"), f"{path} holds more than cases"
        found += [(path.name, match[1], match[2], (match[3] or "").rstrip("\n")) for match in matches]
    return found


def evaluated(title: str, text: str) -> str:
    """Give the error of a case."""
    unusual = {r"\udcff": "\udcff", r"\0": "\0"}
    files = {
        path: re.sub("|".join(map(re.escape, unusual)), lambda found: unusual[found[0]], contents)
        for path, contents in files_in(text).items()
    }
    return error_of(files, *title.partition(": ")[2].split())


@pytest.mark.parametrize(
    ("file", "title", "text", "error"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in cases()]
)
def test_error(file: str, title: str, text: str, error: str) -> None:
    assert evaluated(title, text) == error


def write() -> None:
    """Write every error anew."""
    found = cases()
    for path in FILES:
        mine = [case for case in found if case[0] == path.name]
        path.write_text(
            "".join(f"=== {title}\n{text}>>> {evaluated(title, text)}\n" for _, title, text, _ in mine), "utf-8"
        )


if __name__ == "__main__":
    write()
