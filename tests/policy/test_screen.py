"""What is seen in files' bytes: secrets wherever they lie, whatever surrounds them; nothing in what is hostile."""

from __future__ import annotations

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from distroless_rules.policy import screen, secrets
from distroless_rules.values.tree import Entry, Kind

TOKEN = b"gh" + b"p_16C7e42F292c6912E7710c838347Ae178B4a"


def _marks(data: bytes, path: str = "app/x", public: bool = False) -> screen.Marks:
    entry = Entry(path, Kind.FILE, 0o644, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    found = screen.screen([entry], lambda e, size: data[e.offset : e.offset + min(size, e.size)], lambda name: public)
    assert screen.loads(screen.dumps(found)) == found
    return found.get(entry.sha256, screen.Marks())


def test_a_secret_that_two_parts_of_a_large_file_share_is_found_once_with_its_line() -> None:
    filler = b"line of text\n" * ((8 << 20) // 13)
    for shift in (0, 20, 30, 10_000):
        data = filler[: (8 << 20) - shift] + b"\n" + TOKEN + b"\n" + filler[: 1 << 20]
        (hit,) = _marks(data).secrets
        assert hit.line == data[: data.index(TOKEN)].count(b"\n") + 1
        assert TOKEN.decode() not in hit.shown


def test_in_public_files_only_keys_are_looked_for() -> None:
    key = b"-----BEGIN " + b"PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDVW3bL7tX5q2uH\n"
    assert [hit.kind for hit in _marks(TOKEN + b"\n" + key, public=True).secrets] == [secrets.PRIVATE_KEY]
    assert len(_marks(TOKEN + b"\n" + key).secrets) == 2
    assert not _marks(b"\x7fELF" + TOKEN, public=True)


@given(st.binary(max_size=4096))
@example(b"\xfe\xed\xfe\xed\0\0\0")
def test_any_bytes_are_screened(data: bytes) -> None:
    _marks(data)
    _marks(b"\xfe\xed\xfe\xed\0\0\0\2" + data)
    _marks(data, path="etc/shadow")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_token_is_found_wherever_no_word_joins_it(before: bytes, after: bytes) -> None:
    assert any(hit.kind == "GitHub token" for hit in secrets.find(before + b" " + TOKEN + b" " + after))


@given(st.text(alphabet="ab01:/@-_.=\"' \n", max_size=3000))
def test_texts_that_nearly_match_take_little_time(text: str) -> None:
    list(secrets.find(f"://{text}@eyJ{text}".encode()))
