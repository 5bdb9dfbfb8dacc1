"""Every effect of the built-in rules, and every error that a wrong value of an attribute gives.

The ``.txt`` files here hold cases: a title with what is to be shown (``tests.support.showing``), a workspace whose
BUILD file begins with a ``load`` of all rules as its first line, and after ``>>>`` what is shown. ``python -m
tests.rules.test_rules`` writes all of it anew: read what changed before you keep it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from tests.support.showing import Showing

FILES = sorted(Path(__file__).parent.glob("*.txt"))
_CASE = re.compile(r"^=== (.*)\n((?:(?!=== |>>>\n).*\n)*)(?:>>>\n((?:(?!=== ).*\n)*))?", re.MULTILINE)


def cases() -> list[tuple[str, str, str, str]]:
    """Give (file, title, workspace, what is shown) of every case."""
    found = []
    for path in FILES:
        matches = list(_CASE.finditer(path.read_text("utf-8")))
        assert "".join(match[0] for match in matches) == path.read_text("utf-8"), f"{path} holds more than cases"
        found += [(path.name, match[1], match[2], match[3] or "") for match in matches]
    return found


@pytest.fixture(scope="module")
def showing(tmp_path_factory: pytest.TempPathFactory) -> Showing:
    return Showing(tmp_path_factory.mktemp("showing"))


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [pytest.param(*case[1:], id=f"{case[0].removesuffix('.txt')}-{case[1].partition(':')[0]}") for case in cases()],
)
def test_a_case(showing: Showing, title: str, text: str, expected: str) -> None:
    assert showing.shown(title, text) == expected


def write() -> None:
    """Write what every case shows anew."""
    found = cases()
    with tempfile.TemporaryDirectory() as folder:
        showing = Showing(Path(folder))
        for path in FILES:
            mine = [(title, text) for name, title, text, _ in found if name == path.name]
            shown = [f"=== {title}\n{text}>>>\n{showing.shown(title, text)}" for title, text in mine]
            path.write_text("".join(shown), "utf-8")


if __name__ == "__main__":
    write()
