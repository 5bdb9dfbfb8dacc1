"""npm's settings: where archives are taken from, and with which login."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from distroless_rules.npm.lockfile import Locked
from distroless_rules.npm.settings import Settings, read

PACKAGE = Locked("node_modules/a", "a", "1.0.0", "https://old.example/a/-/a-1.0.0.tgz", "sha512", b"", ())
SCOPED = Locked("node_modules/@s/b", "@s/b", "2.0.0", "", "sha512", b"", ())


@pytest.mark.parametrize(
    ("values", "package", "address"),
    [
        ({}, PACKAGE, "https://old.example/a/-/a-1.0.0.tgz"),
        ({"registry": "https://new.example/npm/"}, PACKAGE, "https://new.example/npm/a/-/a-1.0.0.tgz"),
        ({"registry": "https://new.example"}, SCOPED, "https://new.example/@s/b/-/b-2.0.0.tgz"),
        (
            {"registry": "https://x", "@s:registry": "https://s.example/"},
            SCOPED,
            "https://s.example/@s/b/-/b-2.0.0.tgz",
        ),
        ({"@s:registry": "https://s.example"}, PACKAGE, "https://old.example/a/-/a-1.0.0.tgz"),
    ],
)
def test_addresses(values: dict[str, str], package: Locked, address: str) -> None:
    assert Settings(values).address(package) == address


def test_an_archive_that_no_registry_names_so_stays_where_it_is() -> None:
    odd = Locked("node_modules/a", "a", "1.0.0", "https://files.example/special.tgz", "sha512", b"", ())
    assert Settings({"registry": "https://new.example"}).address(odd) == "https://files.example/special.tgz"


@pytest.mark.parametrize(
    ("values", "login"),
    [
        ({"//r.example/:_authToken": "t"}, "Bearer t"),
        ({"//r.example:_authToken": "t"}, "Bearer t"),
        ({"//r.example/npm/:_authToken": "inner", "//r.example/:_authToken": "outer"}, "Bearer inner"),
        ({"//r.example/:_auth": "dTpw"}, "Basic dTpw"),
        (
            {"//r.example/:username": "u", "//r.example/:_password": base64.b64encode(b"p").decode()},
            "Basic " + base64.b64encode(b"u:p").decode(),
        ),
        ({"//other.example/:_authToken": "t"}, ""),
        ({"//r.example.evil/:_authToken": "t"}, ""),
        ({}, ""),
    ],
)
def test_logins(values: dict[str, str], login: str) -> None:
    assert Settings(values).login("https://r.example/npm/a/-/a-1.0.0.tgz") == login


def test_the_file_and_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(
        "; a comment\n# another\nregistry = https://a.example/\n//a.example/:_authToken=${TOKEN}\n"
        '@s:registry="https://s.example"\nunset=${NOT_SET}\nnonsense\n'
    )
    values = read({"HOME": str(tmp_path), "TOKEN": "secret"}).values
    assert values == {
        "registry": "https://a.example/",
        "//a.example/:_authToken": "secret",
        "@s:registry": "https://s.example",
        "unset": "${NOT_SET}",
    }
    changed = read({"HOME": str(tmp_path), "npm_config_registry": "https://b.example"}).values
    assert changed["registry"] == "https://b.example"


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("registry=https://m.example\n")
    assert (
        read({"HOME": "/none", "npm_config_userconfig": f"{tmp_path}/mine"}).values["registry"] == "https://m.example"
    )


def test_no_file() -> None:
    assert read({"HOME": "/none"}).values == {}
