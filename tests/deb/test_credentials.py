from __future__ import annotations

import base64
from pathlib import Path

import pytest

from distroless_rules.deb.credentials import authorization, shown


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    etc = tmp_path / "apt"
    (etc / "auth.conf.d").mkdir(parents=True)
    (etc / "auth.conf").write_text(
        "# machine off.example login no password no\n"
        "machine a.example login one password p1\n"
        "machine a.example/private/ login never password reached\n"
        "machine b.example:8443/private\nlogin two\npassword p2\n"
    )
    (etc / "auth.conf.d" / "x.conf").write_text("machine http://plain.example login three password p3")
    (etc / "auth.conf.d" / "x.bak").write_text("machine bak.example login no password no")
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine a.example login late password late machine n.example login four password p4\ndefault login d"
    )
    monkeypatch.setenv("NETRC", str(netrc))
    return etc


@pytest.mark.parametrize(
    ("uri", "login"),
    [
        ("https://a.example/debian", "one:p1"),
        ("https://A.example/private/x", "one:p1"),
        ("http://a.example/debian", ""),
        ("https://a.example.evil.example/", ""),
        ("https://b.example:8443/private/x", "two:p2"),
        ("https://b.example:8443/privateer", ""),
        ("https://b.example/private/x", ""),
        ("http://plain.example/x", "three:p3"),
        ("https://plain.example/x", ""),
        ("https://bak.example/x", ""),
        ("https://off.example/x", ""),
        ("https://n.example/x", "four:p4"),
        ("https://unknown.example/x", ""),
        ("https://u%40x:p%3a@a.example/x", "u@x:p:"),
    ],
)
def test_logins(etc: Path, uri: str, login: str) -> None:
    assert authorization(uri, etc) == (basic(login) if login else "")


def test_no_files_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert authorization("https://a.example/", tmp_path / "none") == ""


def test_uris_are_shown_without_logins() -> None:
    assert shown("https://user:secret@a.example:1/x@y") == "https://a.example:1/x@y"
    assert shown("https://a.example/x@y") == "https://a.example/x@y"
    assert shown("file:///srv/a@b") == "file:///srv/a@b"
