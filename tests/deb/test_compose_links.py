"""Hard links: each names a file of its own layer by the path that it has there, and its bytes are its own deb's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.composing import composed, deb
from tests.support.debs import listing, tar

BUSYBOX = tar(*listing("0755 bin/busybox = program\nbin/sh => bin/busybox\nsbin/init => bin/busybox"))


def text(folder: Path, debs: Mapping[str, bytes | str], *layers: str, **parameters: Any) -> str:
    return composed(folder, debs, **parameters).text(*layers, folders=False)


def test_links_in_a_deb(tmp_path: Path) -> None:
    listing = "4755 0:3 bin/b = text\nusr/bin/c => bin/b\nusr/bin/a => bin/b\netc/empty\netc/none => etc/empty"
    made = composed(tmp_path, {"a": listing})
    assert made.text("0", folders=False) == (
        "layer 0\n"
        "  0644 0:0 etc/empty\n"
        "  0644 0:0 etc/none => etc/empty\n"
        "  0755 0:3 usr/bin/a = text\n"
        "  0755 0:3 usr/bin/b => usr/bin/a\n"
        "  0755 0:3 usr/bin/c => usr/bin/a\n"
    )
    assert (made.report["debs"]["a"]["files"], made.report["debs"]["a"]["bytes"]) == (5, 4)


def test_links_to_what_is_dropped(tmp_path: Path) -> None:
    shown = text(tmp_path, {"a": "usr/share/man/m = text\netc/b => usr/share/man/m\netc/a => usr/share/man/m"})
    assert shown.startswith("layer 0\n  0644 0:0 etc/a = text\n  0644 0:0 etc/b => etc/a\nlayer system")


def test_only_one_of_them_keeps_its_privilege(tmp_path: Path) -> None:
    shown = text(tmp_path, {"a": "4755 bin/a = text\nbin/b => bin/a"}, "0", keep=["/bin/a"])
    assert shown == "layer 0\n  4755 0:0 usr/bin/a = text\n  0755 0:0 usr/bin/b = text\n"


def test_a_file_that_another_deb_replaces(tmp_path: Path) -> None:
    debs: dict[str, bytes | str] = {
        "a": "usr/bin/x = old\nusr/bin/y => usr/bin/x",
        "b": deb("b", "usr/bin/x = new", Replaces="a"),
    }
    assert text(tmp_path, debs, "0", "1") == (
        "layer 0\n  0644 0:0 usr/bin/y = old\nlayer 1\n  0644 0:0 usr/bin/x = new\n"
    )


def test_a_file_that_another_layer_has(tmp_path: Path) -> None:
    debs = {"a": "etc/x = same", "b": "etc/x = same\netc/y => etc/x\netc/z => etc/x"}
    assert text(tmp_path, debs, "0", "1") == (
        "layer 0\n  0644 0:0 etc/x = same\nlayer 1\n  0644 0:0 etc/y = same\n  0644 0:0 etc/z => etc/y\n"
    )


def test_a_file_behind_a_link(tmp_path: Path) -> None:
    debs = {"a": "opt/x -> /srv", "b": "opt/x/f = 1\nopt/x/g => opt/x/f\netc/h => opt/x/f"}
    assert text(tmp_path, debs, "1") == (
        "layer 1\n  0644 0:0 etc/h = 1\n  0644 0:0 srv/f => etc/h\n  0644 0:0 srv/g => etc/h\n"
    )


def test_links_of_a_tree(tmp_path: Path) -> None:
    row = {"kind": "tree", "input": "file/0", "owner": "7:8"}
    rows = [{**row, "path": "/", "label": "//:root"}, {**row, "path": "/opt", "label": "//:opt", "mode": "0700"}]
    made = composed(tmp_path, {}, {"file/0": BUSYBOX}, files=rows)
    assert made.text("app", folders=False) == (
        "layer app\n"
        "  0755 7:8 opt/\n"
        "  0755 7:8 opt/bin/\n"
        "  0700 7:8 opt/bin/busybox = program\n"
        "  0700 7:8 opt/bin/sh => opt/bin/busybox\n"
        "  0755 7:8 opt/sbin/\n"
        "  0700 7:8 opt/sbin/init => opt/bin/busybox\n"
        "  0755 7:8 usr/bin/busybox = program\n"
        "  0755 7:8 usr/bin/sh => usr/bin/busybox\n"
        "  0755 7:8 usr/sbin/init => usr/bin/busybox\n"
    )


def test_a_tree_some_of_which_a_deb_has(tmp_path: Path) -> None:
    row = {"path": "/", "kind": "tree", "input": "file/0", "label": "//:root"}
    made = composed(tmp_path, {"a": "0755 bin/busybox = program"}, {"file/0": BUSYBOX}, files=[row])
    assert made.text("app", folders=False) == (
        "layer app\n  0755 0:0 usr/bin/sh = program\n  0755 0:0 usr/sbin/init => usr/bin/sh\n"
    )


def test_one_file_declared_at_two_paths_is_two_files(tmp_path: Path) -> None:
    rows = [{"path": path, "input": "file/0", "label": "//:f"} for path in ("/etc/a", "/etc/b")]
    made = composed(tmp_path, {}, {"file/0": b"text"}, files=rows)
    assert made.text("app", folders=False) == "layer app\n  0644 0:0 etc/a = text\n  0644 0:0 etc/b = text\n"
