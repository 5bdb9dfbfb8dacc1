"""Copyright files of debs, machine-readable, prose and hostile ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from distroless_rules.sbom.copyright import NONE, named, read

_FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
_INSTALLED = sorted(Path("/usr/share/doc").glob("*/copyright"))


def test_all_licences_of_the_files_hold() -> None:
    found = read(
        (
            f"{_FORMAT}Upstream-Name: x\n\n"
            "Files: *\nCopyright: 2001 A\n 2002 B\nLicense: GPL-2+ or Artistic\n\n"
            "Files: debian/*\nCopyright: C\nLicense: Expat\n text\n\n"
            "Files: lib/*\nCopyright: D\nLicense: expat\n\n"
            "License: GPL-2+\n On Debian systems ...\n"
        ).encode(),
        "x",
    )
    assert found.expression == "(GPL-2.0-or-later OR Artistic-1.0) AND MIT"
    assert (found.texts, found.comment) == ({}, "")


def test_a_licence_without_identifier_has_its_text() -> None:
    text = f"{_FORMAT}\nFiles: *\nCopyright: A\nLicense: custom-1\n\nLicense: custom-1\n You may.\n .\n   Or not.\n"
    found = read(text.encode(), "x")
    (reference, (name, said)) = next(iter(found.texts.items()))
    assert found.expression == reference
    assert reference.startswith("LicenseRef-custom-1-")
    assert (name, said) == ("custom-1", "You may.\n\n  Or not.")
    other = read(text.replace("You may.", "You may not.").encode(), "x")
    assert other.expression != found.expression, "another text is another licence, whatever it is called"


def test_a_licence_without_text_says_so() -> None:
    found = read(f"{_FORMAT}\nFiles: *\nCopyright: A\nLicense: custom\n".encode(), "x")
    assert list(found.texts.values()) == [
        ("custom", 'The copyright file of x calls it "custom" and says no more of it.')
    ]


def test_the_header_speaks_where_no_files_do() -> None:
    assert read(f"{_FORMAT}License: ISC\n".encode(), "x").expression == "ISC"


def test_prose_is_a_licence_of_its_own() -> None:
    text = "It was packaged by me.\n\nThe GPL is in /usr/share/common-licenses/GPL-2.\n"
    found = read(text.encode(), "x")
    assert found.texts == {found.expression: ("copyright of x", text.strip())}
    assert found.comment == "The copyright file of x is prose; it names /usr/share/common-licenses/GPL-2."
    assert read(text.encode(), "y").expression == found.expression, "debs of one source share their text"


def test_a_format_without_licences_is_prose() -> None:
    assert read(f"{_FORMAT}\nFiles: *\n".encode(), "x").expression.startswith("LicenseRef-copyright-")


@pytest.mark.parametrize("data", [b"", b" \n\t\n"])
def test_nothing_says_nothing(data: bytes) -> None:
    assert read(data, "x") == NONE


def test_other_encodings_and_control_characters_are_read() -> None:
    found = read("Copyright © Müller\x00\x1b[0m\r\nfree\r".encode("latin-1"), "x")
    assert list(found.texts.values()) == [("copyright of x", "Copyright © Müller  [0m\nfree")]


def test_malformed_paragraphs_are_read_as_far_as_they_go() -> None:
    text = f"{_FORMAT}\nFiles: *\nno colon here\nLicense: ISC\nLicense: MIT\n# comment\nLicense :Zlib\n"
    assert read(text.encode(), "x").expression == "ISC"


def test_huge_files_are_read() -> None:
    many = "".join(f"\nFiles: {n}\nLicense: made-up-{n}\n" for n in range(5000))
    assert len(read(f"{_FORMAT}{many}".encode(), "x").texts) == 5000
    assert read(f"{_FORMAT}\nFiles: *\nLicense: {'(' * 1_000_000}\n".encode(), "x").expression.startswith("LicenseRef-")


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail(data: bytes) -> None:
    for text in (data, _FORMAT.encode() + b"\nFiles: *\nLicense: " + data):
        found = read(text, "x")
        assert set(found.texts) <= set(found.expression.replace("(", " ").replace(")", " ").split())


def test_metadata_names_a_licence() -> None:
    assert named("MIT OR Apache-2.0", "It").expression == "MIT OR Apache-2.0"
    assert list(named("Mine", "It").texts.values()) == [("Mine", 'It calls it "Mine" and says no more of it.')]


@pytest.mark.skipif(len(_INSTALLED) < 300, reason="fewer than 300 debs are installed here")
def test_copyright_files_of_installed_debs_are_understood() -> None:
    structured, licensing = 0, get_spdx_licensing()
    for path in _INSTALLED:
        found = read(path.read_bytes(), path.parent.name)
        structured += not found.comment
        errors = licensing.validate(found.expression).errors
        assert not [error for error in errors if "LicenseRef-" not in error], path
        assert found.expression, path
    assert structured > len(_INSTALLED) // 2
