"""Who is in an image: declared users and groups in, the lines of passwd and group out, or the clash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import AnalysisError
from tests.support.composing import composed

BASE = {
    "base-passwd": """
        usr/share/base-passwd/passwd.master = root:*:0:0:root:/root:/bin/bash\\nwww:*:33:33:www:/var/www:/bin/sh\\n
        usr/share/base-passwd/group.master = root:*:0:\\nwww:*:33:\\ntty:*:5:\\nstaff:*:50:\\n
    """
}
DEFAULT_USERS = "root 0:0 /root, nonroot 65532:65532 /home/nonroot, nobody 65534:65534 /nonexistent"


def accounts(folder: Path, base: Mapping[str, str] | None = None, **parameters: Any) -> tuple[str, str]:
    """Give the users and the groups of an image in the order of their numbers, or what is said instead."""
    try:
        made = composed(folder, {}, {}, base, **parameters)
    except AnalysisError as error:
        return str(error), ""
    users = [line.split(":") for line in made.file("etc/passwd").splitlines()]
    groups = [line.split(":") for line in made.file("etc/group").splitlines()]
    assert all(user[1] == "*" for user in users)  # nobody has a password
    assert all(group[1] == "*" for group in groups)
    assert made.report["users"] == {user[0]: [int(user[2]), int(user[3])] for user in users}
    assert made.report["groups"] == {group[0]: int(group[2]) for group in groups}
    return (
        ", ".join(f"{user[0]} {user[2]}:{user[3]} {user[5]}" for user in users),
        ", ".join(f"{group[0]} {group[2]} {group[3]}".strip() for group in groups),
    )


def test_who_is_in_every_image(tmp_path: Path) -> None:
    assert accounts(tmp_path) == (DEFAULT_USERS, "root 0, nonroot 65532, nogroup 65534")
    assert accounts(tmp_path, BASE) == (
        DEFAULT_USERS.replace("/root,", "/root, www 33:33 /var/www,"),
        "root 0, tty 5, www 33, staff 50, nonroot 65532, nogroup 65534",
    )


def test_an_image_with_only_who_is_named(tmp_path: Path) -> None:
    row = {"path": "/x", "kind": "dir", "owner": "www:staff", "label": "//:f"}
    users, groups = accounts(tmp_path, BASE, files=[row], defaults=False)
    assert (users, groups) == ("www 33:33 /var/www", "www 33, staff 50")


def test_an_image_with_nobody(tmp_path: Path) -> None:
    made = composed(tmp_path, {}, {}, BASE, defaults=False)
    assert [entry.path for entry in made.layers["system"] if entry.path in ("etc/passwd", "etc/group")] == []


@pytest.mark.parametrize(
    ("user", "expected", "group"),
    [
        ({}, "app 947:947 /home/app", "app 947"),
        ({"uid": 1000}, "app 1000:1000 /home/app", "app 1000"),
        ({"uid": 1000, "gid": 7}, "app 1000:7 /home/app", "app 7"),
        ({"uid": 1000, "gid": 50}, "app 1000:50 /home/app", ""),
        ({"uid": 1000, "home": "/srv/app"}, "app 1000:1000 /srv/app", "app 1000"),
        ({"uid": 1000, "groups": ["staff", "tty"]}, "app 1000:1000 /home/app", "app 1000"),
    ],
)
def test_a_declared_user(user: dict[str, Any], expected: str, group: str, tmp_path: Path) -> None:
    users, groups = accounts(tmp_path, BASE, users=[{"name": "app", **user}])
    assert expected in users.split(", ")
    assert [each for each in groups.split(", ") if each.startswith("app ")] == ([group] if group else [])
    assert ("staff 50 app" in groups and "tty 5 app" in groups) == ("groups" in user)


def test_the_home_of_a_declared_user_is_theirs(tmp_path: Path) -> None:
    made = composed(tmp_path, {"a": "0755 srv/there/"}, users=[
        {"name": "one", "uid": 1, "home": "/srv/one"}, {"name": "two", "uid": 2, "home": "/srv/there"},
    ])  # fmt: skip
    assert "  0700 1:1 srv/one/\n" in made.text("system")
    assert "  0755 0:0 srv/there/\n" in made.text("0")


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"users": [{"name": "a", "uid": 7}, {"name": "b", "uid": 7}]},
         'cannot add group "b": its number 7 is that of "a"; '
         "give one of them another number, with a group() in contents"),
        ({"users": [{"name": "a", "uid": 7}, {"name": "b", "uid": 7, "gid": 8}]},
         'cannot add user "b": its number 7 is that of "a"; '
         "give one of them another number, with a user() in contents"),
        ({"users": [{"name": "a", "uid": 7}, {"name": "a", "uid": 7}]}, 'cannot add user "a": it is declared twice'),
        ({"groups": [{"name": "a", "gid": 7}, {"name": "a", "gid": 8}]},
         'cannot add group "a": it has the numbers 7 and 8'),
        ({"groups": [{"name": "a", "gid": 7}, {"name": "b", "gid": 7}]},
         'cannot add group "b": its number 7 is that of "a"; '
         "give one of them another number, with a group() in contents"),
        ({"groups": [{"name": "a", "members": ["nobody", "none"]}]},
         'cannot put "none" into group "a": there is no user "none"; '
         "add a user() of that name to contents, or name it by number"),
        ({"users": [{"name": "a", "groups": ["nonrot"]}]},
         'cannot put "a" into group "nonrot": there is no group "nonrot"; did you mean "nonroot"?'),
        ({"user": "noone"}, 'cannot set the user of the image to "noone": there is no user "noone"; '
         "add a user() of that name to contents, or name it by number"),
    ],
)  # fmt: skip
def test_accounts_that_clash(parameters: dict[str, Any], error: str, tmp_path: Path) -> None:
    assert accounts(tmp_path, **parameters) == (error, "")


def test_what_the_image_declares_beats_what_debian_has(tmp_path: Path) -> None:
    users, groups = accounts(
        tmp_path,
        BASE,
        users=[{"name": "nonroot", "uid": 33}, {"name": "root", "uid": 0, "home": "/"}],
    )
    assert users == "root 0:0 /, nonroot 33:33 /home/nonroot, nobody 65534:65534 /nonexistent"
    assert groups == "root 0, tty 5, nonroot 33, staff 50, nogroup 65534"


@pytest.mark.parametrize(
    ("user", "numbers"),
    [("", ""), ("nonroot", "65532:65532"), ("nonroot:root", "65532:0"), ("7", "7:0"), ("65532", "65532:65532"),
     ("7:8", "7:8"), ("www", "33:33")],
)  # fmt: skip
def test_the_user_of_the_image_is_numbers(user: str, numbers: str, tmp_path: Path) -> None:
    assert composed(tmp_path, {}, {}, BASE, user=user).report["user"] == numbers
