"""``package-lock.json``: what is taken from it, and what is said of one that is wrong."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.npm.lockfile import read

SUM = "sha512-" + base64.b64encode(bytes(64)).decode()
SHA1 = "sha1-" + base64.b64encode(bytes(20)).decode()


def lock(packages: dict[str, Any], **more: Any) -> str:
    return json.dumps({"lockfileVersion": 3, "packages": {"": {}, **packages}, **more})


def row(**more: Any) -> dict[str, Any]:
    return {"version": "1.0.0", "integrity": SUM, **more}


def names(text: str, platform: str = "linux/amd64", dev: bool = False) -> list[str]:
    return [f"{each.place} {each}" for each in read(text, None, "package-lock.json", platform, dev)]


def refused(text: str, manifest: str | None = None) -> str:
    with pytest.raises(FormatError) as caught:
        read(text, manifest, "package-lock.json", "linux/amd64", False)
    return str(caught.value)


def test_packages_with_their_places() -> None:
    text = lock(
        {
            "node_modules/b": row(),
            "node_modules/@s/a": row(resolved="https://mirror.example/@s/a/-/a-1.0.0.tgz"),
            "node_modules/b/node_modules/c": row(version="2.0.0"),
            "node_modules/alias": row(name="real"),
        }
    )
    assert names(text) == [
        "node_modules/@s/a @s/a@1.0.0",
        "node_modules/alias real@1.0.0",
        "node_modules/b b@1.0.0",
        "node_modules/b/node_modules/c c@2.0.0",
    ]


@pytest.mark.parametrize(
    ("more", "amd64", "arm64"),
    [
        ({"cpu": ["x64"], "optional": True}, True, False),
        ({"cpu": ["!x64"], "optional": True}, False, True),
        ({"os": ["darwin"], "optional": True}, False, False),
        ({"os": ["linux"]}, True, True),
        ({"os": ["!win32"]}, True, True),
        ({"libc": ["musl"], "optional": True}, False, False),
        ({"libc": ["glibc"], "cpu": ["arm64"], "optional": True}, False, True),
        ({"inBundle": True}, False, False),
        ({"dev": True}, False, False),
        ({"devOptional": True}, False, False),
    ],
)
def test_what_is_for_this_platform(more: dict[str, Any], amd64: bool, arm64: bool) -> None:
    text = lock({"node_modules/a": row(**more)})
    assert [bool(names(text, platform)) for platform in ("linux/amd64", "linux/arm64")] == [amd64, arm64]


def test_what_development_needs_is_there_when_asked_for() -> None:
    text = lock({"node_modules/a": row(dev=True), "node_modules/b": row()})
    assert names(text, dev=True) == ["node_modules/a a@1.0.0", "node_modules/b b@1.0.0"]


def test_the_strongest_digest_counts() -> None:
    (package,) = read(lock({"node_modules/a": row(integrity=f"{SHA1} {SUM}")}), None, "l", "linux/amd64", False)
    assert (package.algorithm, package.digest) == ("sha512", bytes(64))
    (package,) = read(lock({"node_modules/a": row(integrity=f"{SHA1}?opt")}), None, "l", "linux/amd64", False)
    assert package.algorithm == "sha1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not an object"),
        ("{}", "its lockfileVersion is null, not 2 or 3; `npm install --package-lock-only`"),
        ('{"lockfileVersion": 1, "dependencies": {}}', "its lockfileVersion is 1, not 2 or 3"),
        ('{"lockfileVersion": 3, "packages": {"node_modules/a": 3}}', '"node_modules/a" is not an object'),
        (lock({"packages/a": row()}), '"packages/a" is no place below node_modules; workspaces are not taken here'),
        (lock({"node_modules/../a": row()}), "is no place below node_modules"),
        (lock({"node_modules/a/../../x": row()}), "is no place below node_modules"),
        (lock({"/node_modules/a": row()}), "is no place below node_modules"),
        (lock({"node_modules/.bin": row()}), "is no place below node_modules"),
        (lock({"node_modules/a": row(link=True)}), '"node_modules/a" is a link to a folder'),
        (lock({"node_modules/a": row(resolved="git+ssh://x/y")}), 'comes from "git+ssh://x/y"; packages of the'),
        (lock({"node_modules/a": row(resolved="file:../x.tgz")}), 'comes from "file:../x.tgz"'),
        (lock({"node_modules/a": row(integrity="")}), '"node_modules/a" has no integrity'),
        (lock({"node_modules/a": row(integrity="sha512-AAAA")}), '"node_modules/a" has no integrity'),
        (lock({"node_modules/a": row(integrity="md5-AAAA")}), '"node_modules/a" has no integrity'),
        (lock({"node_modules/a": row(cpu=["arm64"])}), '"node_modules/a" is not for linux/amd64, and is not optional'),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_manifest_that_the_lock_does_not_fit() -> None:
    text = json.dumps({"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "^1"}}}})
    fits = '{"name": "x", "dependencies": {"a": "^1"}}'
    assert read(text, fits, "package-lock.json", "linux/amd64", False) == ()
    said = refused(text, '{"dependencies": {"a": "^2"}}')
    assert 'package-lock.json was made when "a" in dependencies was "^1"; it is "^2"' in said
    assert '"b" in devDependencies was null; it is "1"' in refused(
        text, '{"dependencies": {"a": "^1"}, "devDependencies": {"b": "1"}}'
    )
    assert "it is not JSON" in refused(text, "{")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_other_document_is_an_error_and_nothing_else(value: Any) -> None:
    for text in (json.dumps(value), lock({"node_modules/a": value}), lock({"node_modules/a": row(bin=value)})):
        with suppress(FormatError):
            read(text, None, "package-lock.json", "linux/amd64", True)
