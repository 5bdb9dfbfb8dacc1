"""Paths that more than one source speaks of: what agrees is taken, what differs is told with both names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import AnalysisError, FormatError
from tests.support.composing import composed, deb


def shown(folder: Path, *arguments: Any, **parameters: Any) -> str:
    """Give the lines of the debs' and the user's layers, or what is said instead."""
    try:
        made = composed(folder, *arguments, **parameters)
    except AnalysisError as error:
        return str(error)
    return made.text(*(name for name in made.layers if name != "system"), folders=False)


def file(path: str, label: str = "//:f", number: int = 0, **more: Any) -> dict[str, Any]:
    return {"path": path, "input": f"file/{number}", "label": label, **more}


def folder(path: str, **more: str) -> dict[str, str]:
    return {"path": path, "kind": "dir", "label": "//:f", **more}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("etc/x = 1", "etc/x = 1", "layer 0\n  0644 0:0 etc/x = 1\nlayer 1\nlayer app\n"),
        ("etc/x -> y", "etc/x -> y", "layer 0\n  0777 0:0 etc/x -> y\nlayer 1\nlayer app\n"),
        ("bin/x = 1", "usr/bin/x = 1", "layer 0\n  0644 0:0 usr/bin/x = 1\nlayer 1\nlayer app\n"),
        ("etc/x = 1\netc/y = 1", "etc/x = 1\netc/y => etc/x", "layer 0\n  0644 0:0 etc/x = 1\n  0644 0:0 etc/y = 1\n"
         "layer 1\nlayer app\n"),
        ("0750 0:5 etc/x/", "0750 0:5 etc/x/\netc/x/y = 1", "layer 0\n  0750 0:5 etc/x/\n"
         "layer 1\n  0750 0:5 etc/x/\n  0644 0:0 etc/x/y = 1\nlayer app\n"),
        ("opt/l -> ../srv", "opt/l/", "layer 0\n  0777 0:0 opt/l -> ../srv\nlayer 1\nlayer app\n"),
        ("etc/x = 1", "etc/x = 2", 'deb "a" says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0644 and '
         'deb "b" says a file of 1 bytes, SHA-256 d4735e3a265e, mode 0644'),
        ("etc/x = 1", "0600 0:7 etc/x = 1", 'deb "a" says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0644 and '
         'deb "b" says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0600 of 0:7'),
        ("etc/x -> y", "etc/x -> z", 'deb "a" says a link to "y" and deb "b" says a link to "z"'),
        ("etc/x/", "0700 1:0 etc/x/", 'deb "a" says a folder, mode 0755 and deb "b" says a folder, mode 0700 of 1:0'),
        ("etc/x = 1", "etc/x/y = 1", 'deb "a" says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0644 and '
         'deb "b" says a folder, mode 0755'),
        ("etc/y = 1\netc/x -> y", "etc/x/", 'deb "a" says a link to "y" and deb "b" says a folder, mode 0755'),
        ("bin/x = 1", "usr/bin/x -> y", 'deb "b" says a link to "y" and deb "a" says a file of 1 bytes, '
         "SHA-256 6b86b273ff34, mode 0644"),
    ],
)  # fmt: skip
def test_two_debs(a: str, b: str, expected: str, tmp_path: Path) -> None:
    path = "usr/bin/x" if "bin/" in a else "etc/x"
    if not expected.startswith("layer"):
        expected = f'cannot compose "/{path}": {expected}; leave one out, of a deb with exclude = ["/{path}"]'
    assert shown(tmp_path, {"a": a, "b": b}) == expected


def test_one_deb_with_two_files_that_merged_usr_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        composed(tmp_path, {"a": "bin/x = 1\nusr/bin/x = 2"})
    assert str(caught.value) == (
        'cannot compose "/usr/bin/x": deb "a" has "/bin/x" too, which merged /usr makes the same path'
    )
    assert shown(tmp_path, {"a": "bin/x = 1\nusr/bin/x = 1"}) == "layer 0\n  0644 0:0 usr/bin/x = 1\nlayer app\n"


def test_the_advice_is_right(tmp_path: Path) -> None:
    debs = {"a": "etc/x = 1", "b": "etc/x = 2\netc/y = 2"}
    assert shown(tmp_path, debs, exclude=["/etc/x"]) == "layer 0\nlayer 1\n  0644 0:0 etc/y = 2\nlayer app\n"


@pytest.mark.parametrize(
    ("replaces", "wins"), [("a", 1), ("c, a (<< 2)", 1), ("a (>= 1.0)", 1), ("a (<< 1.0)", 0), ("c", 0), ("ab", 0)]
)
def test_a_deb_that_replaces_another(replaces: str, wins: int, tmp_path: Path) -> None:
    text = shown(tmp_path, {"a": "etc/x = 1\netc/y = 1", "b": deb("b", "etc/x = 2", Replaces=replaces)})
    if wins:
        assert text == "layer 0\n  0644 0:0 etc/y = 1\nlayer 1\n  0644 0:0 etc/x = 2\nlayer app\n"
    else:
        assert text.startswith('cannot compose "/etc/x": deb "a" says')


def test_a_deb_that_an_earlier_one_replaces(tmp_path: Path) -> None:
    debs = {"a": deb("a", "etc/x = 1", Replaces="b"), "b": deb("b", "etc/x = 2\netc/y = 2")}
    assert shown(tmp_path, debs) == "layer 0\n  0644 0:0 etc/x = 1\nlayer 1\n  0644 0:0 etc/y = 2\nlayer app\n"


def test_debs_and_the_user(tmp_path: Path) -> None:
    given = {"file/0": b"1", "file/1": b"2"}
    debs = {"a": "etc/x = 1\n0750 1:2 etc/d/"}
    assert shown(tmp_path, debs, given, files=[file("/etc/x")]) == (
        "layer 0\n  0750 1:2 etc/d/\n  0644 0:0 etc/x = 1\nlayer app\n"
    )
    assert shown(tmp_path, debs, given, files=[file("/etc/x", number=1)]) == (
        'cannot compose "/etc/x": deb "a" says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0644 and '
        "//:f says a file of 1 bytes, SHA-256 d4735e3a265e, mode 0644; "
        'leave one out, of a deb with exclude = ["/etc/x"]'
    )
    assert shown(tmp_path, debs, given, files=[file("/etc/x/y")]) == (
        'cannot compose "/etc/x/y" of //:f: "/etc/x" of deb "a" is no folder; '
        'leave one out, of a deb with exclude = ["/etc/x"]'
    )
    assert shown(tmp_path, debs, files=[folder("/etc/d", mode="1777", owner="nonroot:0")]) == (
        "layer 0\n  0644 0:0 etc/x = 1\nlayer app\n  1777 65532:0 etc/d/\n"
    )
    assert shown(tmp_path, debs, files=[{"path": "/etc/d", "kind": "symlink", "target": "/srv", "label": "//:f"}]) == (
        'cannot compose "/etc/d": deb "a" says a folder, mode 0750 of 1:2 and //:f says a link to "/srv"; '
        'leave one out, of a deb with exclude = ["/etc/d"]'
    )


def test_two_targets_of_the_user(tmp_path: Path) -> None:
    given = {"file/0": b"1", "file/1": b"2"}
    assert shown(tmp_path, {}, given, files=[file("/x"), file("/x", "//:g")]) == "layer app\n  0644 0:0 x = 1\n"
    assert shown(tmp_path, {}, given, files=[file("/x"), file("/x", "//:g", 1)]) == (
        'cannot compose "/x": //:f says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0644 and '
        "//:g says a file of 1 bytes, SHA-256 d4735e3a265e, mode 0644; leave one out"
    )
    assert shown(tmp_path, {}, files=[folder("/x", mode="0700"), folder("/x", label="//:g")]) == (
        'cannot compose "/x": //:f says a folder, mode 0700 and //:g says a folder, mode 0755; leave one out'
    )


def test_the_user_and_an_effect(tmp_path: Path) -> None:
    assert shown(tmp_path, {}, {"file/0": b"1"}, files=[file("/etc/group")]) == (
        'cannot compose "/etc/group": //:f says a file of 1 bytes, SHA-256 6b86b273ff34, mode 0644 and '
        'effect "accounts" says a file of 44 bytes, SHA-256 e0f2ac8b122b, mode 0644; leave one out'
    )


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (file("/x", mode="4755", owner="7"), "4755 7:0 x = text"),
        (file("/x", owner="nonroot"), "0644 65532:65532 x = text"),
        (file("/x", owner="nonroot:root"), "0644 65532:0 x = text"),
        (file("/x", owner="0:nonroot"), "0644 0:65532 x = text"),
        (file("/x", owner="app:staff"), "0644 1000:50 x = text"),
        (file("/x", number=1), "0755 0:0 x = #!/bin/sh\\n"),
        (file("/x", number=1, mode="0600"), "0600 0:0 x = #!/bin/sh\\n"),
        (folder("/x", mode="2770", owner="app"), "2770 1000:1000 x/"),
        ({"path": "/x", "kind": "symlink", "target": "../y", "owner": "app"}, "0777 1000:1000 x -> ../y"),
        (file("/x", owner="ap"), 'cannot add "/x" of //:f: there is no user "ap"; did you mean "app"?'),
        (file("/x", owner="app:x"), 'cannot add "/x" of //:f: there is no group "x"'),
        (file("/x", owner="99999999999"), 'cannot add "/x" of //:f: 99999999999 is not between 0 and 4294967294'),
    ],
)  # fmt: skip
def test_owners_and_modes_of_declared_paths(row: dict[str, Any], line: str, tmp_path: Path) -> None:
    given = {"file/0": b"text", "file/1": b"#!/bin/sh\n"}
    users, groups = [{"name": "app", "uid": 1000}], [{"name": "staff", "gid": 50}]
    text = shown(tmp_path, {}, given, files=[row], users=users, groups=groups)
    assert text == (line if line.startswith("cannot") else f"layer app\n  {line}\n")
