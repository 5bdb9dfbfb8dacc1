"""The ExpandTemplate tool: a file and words in, a file out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import AnalysisError
from distroless_rules.tools.expand_template import TOOL
from tests.support.workbench import perform


def expand(folder: Path, template: bytes, **substitutions: str) -> bytes:
    return perform(TOOL, folder, {"template": template}, {"substitutions": substitutions})["out"]


@pytest.mark.parametrize(
    ("template", "substitutions", "expected"),
    [
        (b"", {"a": "b"}, b""),
        (b"listen {port};\n", {"{port}": "8080"}, b"listen 8080;\n"),
        (b"@A@ @A@ @B@", {"@A@": "1", "@B@": ""}, b"1 1 "),
        (b"nothing to replace", {}, b"nothing to replace"),
        (b"ab", {"a": "b", "b": "a"}, b"ba"),
        (b"NAME NAMES", {"NAME": "1", "NAMES": "2"}, b"1 2"),
        (b"a.c abc", {"a.c": "x"}, b"x abc"),
        (b"x", {"x": r"\1\g<0>"}, rb"\1\g<0>"),
        (b"\xff\x00F\xc5\x91", {"ő": "u"}, b"\xff\x00Fu"),
    ],
)
def test_words_are_replaced(template: bytes, substitutions: dict[str, str], expected: bytes, tmp_path: Path) -> None:
    assert expand(tmp_path, template, **substitutions) == expected


def test_an_empty_word(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="cannot expand a template: a word to be replaced is empty"):
        expand(tmp_path, b"text", **{"": "x"})


@settings(deadline=None)
@given(words=st.permutations(["{a}", "{ab}", "b}", "{"]))
def test_the_order_of_the_words_does_not_matter(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    out = expand(tmp_path_factory.mktemp("t"), b"{a}{ab}b}{", **{word: f"<{len(word)}>" for word in words})
    assert out == b"<3><4><2><1>"
