from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysequoia import ArmorKind, Cert, SignatureMode, Tsk, armor, sign

from distroless_rules.deb import openpgp
from distroless_rules.errors import ConfigError, DistrolessError, TrustError
from tests.support.archive import signed

BODY = b"Origin: Small\nSuite: s\n- dashed\n"
KEY, OTHER = Tsk.generate(user_id="a"), Tsk.generate(user_id="b")
GOOD = signed(BODY, KEY)
BEGIN, BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNED MESSAGE-----\n", b"-----BEGIN PGP SIGNATURE-----\n"
END_SIGNATURE = b"-----END PGP SIGNATURE-----\n"
YEAR = 365 * 24 * 3600


def public(*keys: Tsk) -> bytes:
    return b"".join(bytes(key.extract_certificate()) for key in keys)


def fingerprint(key: Tsk) -> str:
    return key.extract_certificate().fingerprint.upper()


def verify(data: bytes, keyring: bytes | None = None, now: float | None = None) -> tuple[bytes, tuple[str, ...]]:
    return openpgp.verify(data, public(KEY) if keyring is None else keyring, "it", time.time() if now is None else now)


def refused(data: bytes, keyring: bytes | None = None, now: float | None = None) -> str:
    with pytest.raises(TrustError, match=r"^cannot trust it: ") as caught:
        verify(data, keyring, now)
    assert "\n" not in str(caught.value)
    return caught.value.cause


def test_gives_the_signed_text_and_who_signed() -> None:
    assert verify(GOOD) == (BODY, (fingerprint(KEY),))
    assert verify(GOOD, public(OTHER, KEY))[1] == (fingerprint(KEY),)
    assert verify(GOOD + b" \n\n")[1] == (fingerprint(KEY),)


def test_armored_keyrings_are_read_too() -> None:
    text = armor(public(KEY), ArmorKind.PublicKey).encode()
    assert verify(GOOD, text)[1] == (fingerprint(KEY),)
    joined = armor(public(OTHER), ArmorKind.PublicKey).encode() + b"\n" + text
    assert verify(GOOD, openpgp.merge([joined, public(KEY)], "k"))[1] == (fingerprint(KEY),)


def test_all_known_signers_are_named_and_unknown_ones_left_aside() -> None:
    both = signed(BODY, OTHER, KEY)
    assert verify(both)[1] == (fingerprint(KEY),)
    assert verify(both, public(KEY, OTHER))[1] == tuple(sorted((fingerprint(KEY), fingerprint(OTHER))))


def test_without_a_known_key_the_signers_are_named() -> None:
    assert refused(GOOD, public(OTHER)).startswith("no signature counts: the keyring has no key ")
    assert refused(GOOD, b"").startswith("no signature counts: the keyring has no key ")


def test_an_altered_text_is_refused() -> None:
    assert "does not match the text" in refused(GOOD.replace(b"Origin", b"origin"))
    assert "does not match the text" in refused(GOOD.replace(b"Suite: s", b"Suite: s\nSuite: t"))


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "does not begin with"),
        (BODY, "does not begin with"),
        (b"Suite: evil\n\n" + GOOD, "does not begin with"),
        (b"\n" + GOOD, "does not begin with"),
        (b" " + GOOD, "does not begin with"),
        (BEGIN.rstrip() + b" \n" + GOOD[len(BEGIN) :], "does not begin with"),
        (GOOD + b"Suite: evil\n", "text after its signature block"),
        (GOOD + GOOD, "text after its signature block"),
        (GOOD + GOOD[GOOD.index(BEGIN_SIGNATURE) :], "text after its signature block"),
        (GOOD.replace(b"\n", b"\r\n"), "does not begin with"),
        (GOOD.replace(b"Suite", b"Su\rite"), "control characters"),
        (GOOD.replace(b"Suite", b"Su\0ite"), "control characters"),
        (GOOD.replace(b"Hash: SHA512", b"Hash: SHA1"), "its header"),
        (GOOD.replace(b"Hash: SHA512", b"Hash: MD5"), "its header"),
        (GOOD.replace(b"Hash: SHA512", b"Hash: SHA512\nSuite: evil"), "its header"),
        (GOOD.replace(b"Hash: SHA512\n\n", b"Hash: SHA512\n \n"), "its header"),
        (GOOD.replace(b"- - dashed", b"- dashed\n-----BEGIN PGP SIGNED MESSAGE-----"), "unescaped dash"),
        (GOOD.replace(b"- - dashed", b"-dashed"), "unescaped dash"),
        (GOOD[: GOOD.index(BEGIN_SIGNATURE)], "it has no signature"),
        (GOOD[:-10], "has no end"),
        (GOOD.replace(BEGIN_SIGNATURE + b"\n", BEGIN_SIGNATURE + b"\nA"), "malformed"),
        (GOOD.replace(BEGIN_SIGNATURE + b"\n", BEGIN_SIGNATURE + b"\n!"), "not armored base64"),
        (BEGIN + b"\nSuite: s\n" + BEGIN_SIGNATURE + b"\n" + END_SIGNATURE, "not armored base64"),
        (BEGIN + b"x" * (11 << 20), "larger than 10 MiB"),
    ],
)
def test_anything_but_one_signed_message_is_refused(data: bytes, cause: str) -> None:
    assert cause in refused(data)


def block(packets: bytes) -> bytes:
    head = GOOD[: GOOD.index(BEGIN_SIGNATURE)]
    return head + BEGIN_SIGNATURE + b"\n" + base64.encodebytes(packets) + END_SIGNATURE


@pytest.mark.parametrize(
    ("packets", "cause"),
    [
        (b"\xa3\x01" + b"\0" * 40, "something else than signatures"),  # compressed data
        (b"\xc8\x20" + b"\0" * 32, "something else than signatures"),
        (b"\xcb\x02b\0", "something else than signatures"),  # literal data
        (b"\xc2\xe5" + b"\0" * 40, "something else than signatures"),  # partial length
        (b"\x8b" + b"\0" * 40, "something else than signatures"),  # indeterminate length
        (b"\xc2\xff\xff\xff\xff\xff" + b"\0" * 40, "it is cut off"),
        (b"\xc2\x02\x04\x00" * 17, "more than 16 signatures"),
        (b"\xc2\x02\x04\x00", "one is of an unknown kind"),
        (b"\x88\x02\x04\x00\xc2\x02\x63\x00", "one is of an unknown kind"),
    ],
)
def test_a_signature_block_holds_signatures_only(packets: bytes, cause: str) -> None:
    assert cause in refused(block(packets))


def test_unknown_kinds_beside_a_good_signature_are_left_aside() -> None:
    lines = GOOD[GOOD.index(BEGIN_SIGNATURE) + len(BEGIN_SIGNATURE) : GOOD.index(END_SIGNATURE)]
    assert verify(block(b"\xc2\x02\x63\x00" + base64.b64decode(lines.replace(b"\n", b""))))[1] == (fingerprint(KEY),)


def test_a_signature_over_another_kind_of_message_is_refused() -> None:
    detached = sign(KEY.signer(), b"something else", mode=SignatureMode.DETACHED)
    start = GOOD.index(BEGIN_SIGNATURE)
    lines = [line for line in detached.split(b"\n") if line and b":" not in line and not line.startswith((b"-", b"="))]
    data = GOOD[:start] + BEGIN_SIGNATURE + b"\n" + b"\n".join(lines) + b"\n" + END_SIGNATURE
    assert "does not match the text" in refused(data)


def test_an_expired_key_does_not_count() -> None:
    short = Tsk.generate(user_id="short", validity_seconds=1000)
    data = signed(BODY, short)
    assert verify(data, public(short))[1] == (fingerprint(short),)
    assert "expired on" in refused(data, public(short), time.time() + 2000)
    assert verify(signed(BODY, short, KEY), public(short, KEY), time.time() + 2000)[1] == (fingerprint(KEY),)


def test_a_revoked_key_does_not_count() -> None:
    certificate = KEY.extract_certificate()
    revoked = Cert.from_bytes(bytes(certificate) + bytes(certificate.revoke(KEY.certifier())))
    assert revoked.is_revoked
    assert "is revoked" in refused(GOOD, bytes(revoked))
    assert "is revoked" in refused(GOOD, openpgp.merge([public(KEY), bytes(revoked)], "k"))


def test_keyrings_that_are_none() -> None:
    with pytest.raises(ConfigError, match="cannot read the keyring for it: it is not OpenPGP"):
        verify(GOOD, b"\xff\xfe\0garbage")
    with pytest.raises(ConfigError, match='GnuPG keybox; write it anew with "gpg --export"'):
        verify(GOOD, b"\0\0\0\x20\x01\x01\0\x02KBXf" + b"\0" * 16)


def test_a_keyring_is_restricted_by_the_fingerprints_of_any_of_its_keys() -> None:
    both = public(KEY, OTHER)
    assert openpgp.restrict(both, [fingerprint(OTHER).lower()], "k") == public(OTHER)
    assert openpgp.restrict(both, ["0" * 40], "k") == b""


def mutated(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, new in cuts:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + length :]
    return data


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3))
def test_no_mutation_gives_another_text(cuts: list[tuple[int, int, bytes]]) -> None:
    try:
        body, signers = verify(mutated(GOOD, cuts))
    except DistrolessError:
        return
    strip = [line.rstrip() for line in body.split(b"\n")]
    assert strip == BODY.split(b"\n")
    assert signers == (fingerprint(KEY),)


def gpg(home: Path, *arguments: str, data: bytes = b"") -> bytes:
    environment = os.environ | {"GNUPGHOME": str(home)}
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--no-tty", *arguments]
    return subprocess.run(command, input=data, env=environment, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GnuPG home with a key; GnuPG makes the signatures that Sequoia would not."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    gpg(home, "--quick-generate-key", "gnupg@example.com", "rsa2048", "sign", "1y")
    return home


def test_signatures_by_gnupg_count(home: Path) -> None:
    data = gpg(home, "--digest-algo", "SHA256", "--clearsign", data=BODY)
    assert verify(data, gpg(home, "--export"))[0] == BODY.rstrip(b"\n")


@pytest.mark.parametrize("weak", ["SHA1", "RIPEMD160"])
def test_weak_hashes_do_not_count(home: Path, weak: str) -> None:
    data = gpg(home, "--digest-algo", weak, "--clearsign", data=BODY)
    assert "its header" in refused(data, gpg(home, "--export"))
    hidden = data.replace(b"Hash: " + weak.encode(), b"Hash: SHA256")
    assert "uses the weak hash" in refused(hidden, gpg(home, "--export"))


@pytest.mark.archive
def test_agrees_with_gpgv_on_real_release_files(tmp_path: Path) -> None:
    from distroless_rules.deb import mirror, sources
    from distroless_rules.values.archive import Archive

    suites = ("trixie", "trixie-updates", "trixie-security")
    for place in sources.find(Archive("trixie", suites), tmp_path):
        data = mirror.fetch_text(place.uris, f"dists/{place.suite}/InRelease", openpgp.MAX_SIZE)[1].data
        (tmp_path / "keyring.gpg").write_bytes(place.keyring())
        (tmp_path / "InRelease").write_bytes(data)
        command = ["gpgv", "--keyring", "./keyring.gpg", "--status-fd", "1", "--output", "body", "InRelease"]
        status = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
        primary = {line.split()[-1] for line in status.splitlines() if line.startswith("[GNUPG:] VALIDSIG")}
        body, signers = verify(data, place.keyring())
        assert set(signers) == primary
        assert body.rstrip(b"\n") == (tmp_path / "body").read_bytes().rstrip(b"\n")
