"""The WriteFile tool: text in, a file out."""

from __future__ import annotations

from pathlib import Path

import pytest

from distroless_rules.tools.write_file import TOOL
from tests.support.workbench import perform


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", b""),
        ("one\ntwo\n", b"one\ntwo\n"),
        ("no line break", b"no line break"),
        ("\r\n\t", b"\r\n\t"),
        ("Fő ✓", b"F\xc5\x91 \xe2\x9c\x93"),
        ("byte \udcff", b"byte \xff"),
    ],
)
def test_the_text_is_written_as_it_is(content: str, expected: bytes, tmp_path: Path) -> None:
    assert perform(TOOL, tmp_path, {}, {"content": content}) == {"out": expected}
