"""Keys as text: what was written is read, and whatever else a line may hold is an error that repeats none of it."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.storage.signatures import Signer, generate
from distroless_rules.values.canonical import form
from distroless_rules.values.signing_key import PublicKey, SecretKey, decoded

# RFC 8032, section 7.1, test 1
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY = SecretKey(PublicKey("ci-1", RFC), SEED)
PUBLIC, SECRET = str(KEY.public), KEY.text()
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


def test_keys_are_read_as_they_were_written() -> None:
    assert PublicKey.parse(PUBLIC, "read") == KEY.public
    assert SecretKey.parse(f"  {SECRET}\r\n", "read") == KEY
    assert Signer(SecretKey.parse(SECRET, "read"), "read").public == KEY.public


def test_a_key_that_nix_has_made_is_read() -> None:
    example = (
        "E7lAO+MsPwTFfPXsdPtW8GKui/5ho4KQHVcAGnX+Tti1V4dUxoVoqLyWJ4YESuZJwQ67GVIksDt47og+tPVUZw=="  # of its manual
    )
    key = SecretKey.parse(f"cache.example.org-0:{example}", "read")
    assert Signer(key, "read").public.name == "cache.example.org-0", "its halves belong together"


def test_a_key_that_is_made_is_read() -> None:
    made = generate("cache.example-1")
    assert SecretKey.parse(made.text(), "read") == made
    assert PublicKey.parse(str(made.public), "read") == made.public
    assert made.seed != generate("cache.example-1").seed


def test_a_secret_key_does_not_show_itself() -> None:
    half = base64.b64encode(KEY.seed).decode()[:40]
    for text in (repr(KEY), str(KEY), f"{KEY}"):
        assert half not in text
        assert repr(KEY.seed) not in text


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_for_which_everybody_signs_is_none(point: str) -> None:
    data = bytes.fromhex(point)
    forged, forgeries = b"\x01" + bytes(63), 0
    for number in range(200):
        with suppress(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(data).verify(forged, b"%d" % number)
            forgeries += 1
    with pytest.raises(FormatError, match="everybody can sign for such a key"):
        PublicKey.parse(f"ci:{base64.b64encode(data).decode()}", "read")
    assert forgeries or point.endswith(("80", "ff", "85", "fa")), "of these some are no points for this library"


WRONG = {
    "": "it has no name",
    "ci-1": "it has no name",
    base64.b64encode(bytes(range(32))).decode(): "it has no name",
    f":{PUBLIC.partition(':')[2]}": "its name has characters that a name cannot have",
    f"a b:{PUBLIC.partition(':')[2]}": "its name has characters that a name cannot have",
    f"{'x' * 101}:{PUBLIC.partition(':')[2]}": "its name has characters that a name cannot have, or is too long",
    "ci-1:": "it has 0 bytes",
    "ci-1:AAAA": "it has 3 bytes",
    PUBLIC[:-1]: "is not base64",
    PUBLIC + "=": "is not base64",
    PUBLIC + "\n": "is not base64",
    PUBLIC.replace("=", "-"): "is not base64",
    f"ci-1:{base64.b16encode(KEY.public.data).decode()}": "it has 48 bytes",
    f"ci-1:{PUBLIC.partition(':')[2]}:x": "is not base64",
    f"{PUBLIC}\n{PUBLIC}": "is not base64",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----": "it is a PEM file",
    "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----": "it is a PEM file",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me": "it is a key of SSH",
    "untrusted comment: minisign public key": "it is a key of minisign or signify",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_key_is_an_error_that_does_not_repeat_it(text: str) -> None:
    for parse in (PublicKey.parse, SecretKey.parse):
        if text.strip() in (PUBLIC, SECRET) and parse is SecretKey.parse:
            continue  # blanks around it do no harm
        with pytest.raises(FormatError) as caught:
            parse(text, "read the key")
        assert WRONG[text] in str(caught.value)
        assert "distroless key generate" in str(caught.value)
        rest = text.rpartition(":")[2].strip()[:20]
        assert not rest or rest in ("ci-1", "AAAA", "x") or rest not in str(caught.value)


def test_one_kind_of_key_is_not_the_other() -> None:
    with pytest.raises(
        FormatError, match="it is a secret key; write what `distroless key public FILE` prints"
    ) as caught:
        PublicKey.parse(SECRET, "read")
    assert SECRET.partition(":")[2][:20] not in str(caught.value)
    with pytest.raises(FormatError, match="it is a public key"):
        SecretKey.parse(PUBLIC, "read")
    mixed = SecretKey(generate("other").public, KEY.seed)
    with pytest.raises(FormatError, match="its two halves do not belong together"):
        Signer(SecretKey.parse(mixed.text(), "read"), "read")


def test_what_no_name_can_be() -> None:
    for name in ("", "a b", "a:b", "x" * 101, "ä", "a\n"):
        with pytest.raises(FormatError, match="not a name that a key can have"):
            generate(name)


@given(st.text(max_size=200))
def test_any_text_is_a_key_or_an_error(text: str) -> None:
    for parse in (PublicKey.parse, SecretKey.parse):
        with pytest.raises(FormatError):
            parse(text, "read")


@given(st.binary(max_size=80))
def test_base64_is_read_in_one_form_only(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert decoded(text) == data
    for other in (text + "=", text.rstrip("=") + "====", f" {text}", text + "\n", text[:-1] + "!"):
        assert decoded(other) in (None, data) if other == text else decoded(other) is None


@given(st.lists(st.tuples(st.text(), st.text())))
def test_a_canonical_form_can_be_read_back(lines: list[tuple[str, str]]) -> None:
    text = form(lines).decode("utf-8", "surrogatepass")
    found = []
    while text:
        name, text = text.split(" ", 1)
        value, text = text.split(" ", 1)
        at, end = int(name), int(name) + int(value)
        found.append((text[:at], text[at:end]))
        assert text[end] == "\n"
        text = text[end + 1 :]
    assert found == lines, json.dumps(lines)
