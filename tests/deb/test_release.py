from __future__ import annotations

import locale

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.deb.release import check_fresh, check_suite, parse
from distroless_rules.errors import FormatError, TrustError
from distroless_rules.values.digest import Digest

SHA = "a" * 64
DAY = 24 * 3600
DATE = 1795252544  # Sat, 21 Nov 2026 09:15:44 UTC


def text(**fields: str) -> bytes:
    known = {"Suite": "stable", "Codename": "trixie", "Date": "Sat, 21 Nov 2026 09:15:44 UTC"}
    known |= {name.replace("_", "-"): value for name, value in fields.items()}
    known |= {} if "SHA256" in fields else {"SHA256": f"\n {SHA} 3 main/binary-amd64/Packages"}
    return "".join(f"{name}: {value}\n" for name, value in known.items() if value).encode()


def test_reads_all_fields() -> None:
    release = parse(
        text(
            Origin="Debian",
            Label="L",
            Valid_Until="Sat, 28 Nov 2026 9:15:44 GMT",
            Architectures="all amd64",
            Components="main contrib",
            Acquire_By_Hash="yes",
            No_Support_for_Architecture_all="Packages",
            MD5Sum="\n 0 3 main/binary-amd64/Packages",
        )
    )
    assert (release.suite, release.codename, release.origin, release.label) == ("stable", "trixie", "Debian", "L")
    assert (release.date, release.valid_until) == (DATE, DATE + 7 * DAY)
    assert (release.architectures, release.components) == (("all", "amd64"), ("main", "contrib"))
    assert release.acquire_by_hash
    assert release.all_is_merged
    assert release.files == {"main/binary-amd64/Packages": Digest(SHA, 3)}


def test_what_is_not_given() -> None:
    release = parse(text(Suite="", Codename=""))
    assert (release.suite, release.codename, release.origin, release.valid_until) == ("", "", "", None)
    assert not release.acquire_by_hash
    assert not release.all_is_merged


@pytest.mark.parametrize(
    "date",
    [
        "21 Nov 2026 09:15:44 UTC",
        "Sat, 21 Nov 2026 09:15:44 +0000",
        "Sat, 21 Nov 2026  9:15:44 Z",
        "Sat, 21 Nov 2026 9:15:44 GMT",
    ],
)
def test_forms_of_dates(date: str) -> None:
    assert parse(text(Date=date)).date == DATE


def test_dates_do_not_depend_on_the_locale() -> None:
    old = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "tr_TR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        assert parse(text()).date == DATE
    locale.setlocale(locale.LC_ALL, old)


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"Date": ""}, "field Date is missing"),
        ({"SHA256": ""}, "field SHA256 is missing"),
        ({"Date": "Sat, 21 Nov 2026 09:15:44 +0200"}, "is not a date in UTC"),
        ({"Date": "Sa, 21 Okt 2026 09:15:44 UTC"}, "is not a date in UTC"),
        ({"Date": "Sat, 31 Feb 2026 09:15:44 UTC"}, "is not a date"),
        ({"Date": "Sat, 21 Nov 2026 25:15:44 UTC"}, "is not a date"),
        ({"Valid_Until": "never"}, "is not a date in UTC"),
        ({"SHA256": f"\n {SHA} 3"}, "is not a SHA-256, a size and a path"),
        ({"SHA256": f"\n {SHA} -3 a"}, "is not a SHA-256, a size and a path"),
        ({"SHA256": f"\n {SHA[:40]} 3 a"}, "is not a SHA-256, a size and a path"),
        ({"SHA256": f"\n {SHA} 3 ../a"}, "is not below its folder"),
        ({"SHA256": f"\n {SHA} 3 /a"}, "is not below its folder"),
        ({"SHA256": f"\n {SHA} 3 a\n {SHA} 4 a"}, 'gives "a" two digests'),
    ],
)
def test_refuses(fields: dict[str, str], cause: str) -> None:
    with pytest.raises(FormatError, match="cannot read release file") as caught:
        parse(text(**fields))
    assert cause in caught.value.cause


def test_refuses_a_second_stanza() -> None:
    with pytest.raises(FormatError, match="more than one stanza"):
        parse(text() + b"\n" + text())


@given(st.binary(max_size=120))
def test_any_bytes_are_one_named_error_or_a_release(data: bytes) -> None:
    try:
        parse(text() + data)
    except FormatError:
        return


@pytest.mark.parametrize(
    ("suite", "codename", "asked"),
    [
        ("stable", "trixie", "trixie"),
        ("stable", "trixie", "stable"),
        ("stable-security", "trixie-security", "trixie-security"),
        ("oldstable-proposed-updates", "bookworm-proposed-updates", "bookworm-proposed-updates"),
        ("noble", "noble", "noble"),
        ("noble-updates", "noble", "noble-updates"),
        ("oldoldstable", "buster", "buster/updates"),
        ("", "local", "local"),
        ("apt-own", "trixie", "trixie"),
    ],
)
def test_the_suite_asked_for(suite: str, codename: str, asked: str) -> None:
    check_suite(parse(text(Suite=suite, Codename=codename)), asked, "it")


@pytest.mark.parametrize(
    ("suite", "codename", "asked"),
    [
        ("oldstable", "bookworm", "trixie"),
        ("noble-updates", "noble", "noble"),
        ("noble-security", "noble", "noble-updates"),
        ("stable", "trixie", "trixie-security"),
        ("stable-security", "trixie-security", "trixie"),
        ("", "", "trixie"),
    ],
)
def test_another_suite_in_its_place_is_refused(suite: str, codename: str, asked: str) -> None:
    with pytest.raises(TrustError, match="release file of another suite"):
        check_suite(parse(text(Suite=suite, Codename=codename)), asked, "it")


def test_fresh() -> None:
    release = parse(text(Valid_Until="Sat, 28 Nov 2026 09:15:44 UTC"))
    for now, seen in ((DATE, 0), (DATE - DAY, DATE), (DATE + 7 * DAY, DATE - 1)):
        check_fresh(release, now, seen, "it")
    check_fresh(parse(text()), DATE + 10_000 * DAY, DATE, "it")


@pytest.mark.parametrize(
    ("now", "seen", "cause"),
    [
        (DATE - DAY - 1, 0, "its date is in the future (2026-11-21 09:15:44 UTC)"),
        (DATE, DATE + 1, "older than the one of 2026-11-21 09:15:45 UTC that distroless.lock was made from"),
        (DATE + 7 * DAY + 1, 0, "it expired on 2026-11-28 09:15:44 UTC"),
    ],
)
def test_not_fresh(now: float, seen: int, cause: str) -> None:
    with pytest.raises(TrustError, match=r"^cannot trust it: ") as caught:
        check_fresh(parse(text(Valid_Until="Sat, 28 Nov 2026 09:15:44 UTC")), now, seen, "it")
    assert cause in caught.value.cause
