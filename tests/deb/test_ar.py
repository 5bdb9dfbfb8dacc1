"""Bytes in, the members of an ar archive or one named error out."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.ar import members
from distroless_rules.errors import FormatError
from tests.support.debs import ar

GOOD = ar([("debian-binary", b"2.0\n"), ("odd", b"x"), ("last/", b"")])
names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/"), min_size=1, max_size=16)


def read(data: bytes) -> list[tuple[str, bytes]]:
    return [(m.name, data[m.offset : m.offset + m.size]) for m in members(io.BytesIO(data), "x.deb")]


def refusal(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        read(data)
    return str(caught.value)


def header(name: bytes = b"name", size: bytes = b"0", end: bytes = b"`\n") -> bytes:
    return b"!<arch>\n" + name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8) + size.ljust(10) + end


def test_members_names_and_padding() -> None:
    assert read(GOOD) == [("debian-binary", b"2.0\n"), ("odd", b"x"), ("last", b"")]


@given(st.lists(st.tuples(names, st.binary(max_size=9)), max_size=9))
def test_gives_back_what_was_packed(parts: list[tuple[str, bytes]]) -> None:
    assert read(ar(parts)) == parts


def test_the_last_padding_may_be_missing() -> None:
    assert read(ar([("a", b"x")])[:-1]) == [("a", b"x")]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "it is empty"),
        (b"!<arch>", "it is no ar archive, so no deb"),
        (b"PK\x03\x04 a zip file", "it is no ar archive, so no deb"),
        (b"!<arch>\n" + b"x", "it is cut off in a member's header"),
        (header()[:-1], "it is cut off in a member's header"),
        (header(end=b"``"), "the member header at byte 8 is malformed"),
        (header(size=b""), "the member header at byte 8 is malformed"),
        (header(size=b"-1"), "the member header at byte 8 is malformed"),
        (header(size=b"0x10"), "the member header at byte 8 is malformed"),
        (header(size="\N{SUPERSCRIPT TWO}".encode()), "the member header at byte 8 is malformed"),
        (header(b"a\nb"), "the member name at byte 8 is malformed"),
        (header(b"a\0b"), "the member name at byte 8 is malformed"),
        (header(size=b"9999999999"), 'it is cut off in member "name"'),
        (GOOD[:132], 'it is cut off in member "odd"'),
        (ar([("x", b"")] * 65), "it has more than 64 members"),
    ],
)
def test_refused(data: bytes, cause: str) -> None:
    assert refusal(data) == f"cannot read x.deb: {cause}"


@given(st.integers(0, len(GOOD)), st.integers(0, 3), st.binary(max_size=3))
def test_any_damage_is_read_or_is_one_named_error(at: int, gone: int, new: bytes) -> None:
    damaged = GOOD[:at] + new + GOOD[at + gone :]
    try:
        found = read(damaged)
    except FormatError:
        return
    assert sum(len(data) for _, data in found) <= len(damaged)
