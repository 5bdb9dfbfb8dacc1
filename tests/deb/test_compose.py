"""Composing an image: listings of debs and declared files in, the lines of its layers out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import AnalysisError, DistrolessError, FormatError
from tests.support.composing import composed, deb
from tests.support.debs import make_deb


def refused(folder: Path, kind: type[DistrolessError], *arguments: Any, **parameters: Any) -> str:
    with pytest.raises(kind) as caught:
        composed(folder, *arguments, **parameters)
    return str(caught.value)


def file(path: str, **more: str) -> dict[str, str]:
    return {"path": path, "input": "file/0", "label": "//:image", **more}


def test_each_deb_in_its_layer_with_every_folder_above(tmp_path: Path) -> None:
    made = composed(tmp_path, {"a": "0755 usr/bin/a = a\netc/a/", "b": "usr/bin/b -> a\n0640 0:42 etc/b = b"})
    assert made.text("0", "1") == (
        "layer 0\n"
        "  0755 0:0 etc/\n"
        "  0755 0:0 etc/a/\n"
        "  0755 0:0 usr/\n"
        "  0755 0:0 usr/bin/\n"
        "  0755 0:0 usr/bin/a = a\n"
        "layer 1\n"
        "  0755 0:0 etc/\n"
        "  0640 0:42 etc/b = b\n"
        "  0755 0:0 usr/\n"
        "  0755 0:0 usr/bin/\n"
        "  0777 0:0 usr/bin/b -> a\n"
    )


def test_layers_come_in_the_order_given_and_the_application_last(tmp_path: Path) -> None:
    debs = {"a": "etc/a = 1", "b": "etc/b = 2", "c": "etc/c = 3"}
    made = composed(tmp_path, debs, {"file/0": b"4"}, layers=[["b"], ["c", "a"]], files=[file("/etc/d")])
    assert list(made.layers) == ["0", "1", "system", "app"]
    assert made.text("0", "1", "app", folders=False) == (
        "layer 0\n  0644 0:0 etc/b = 2\n"
        "layer 1\n  0644 0:0 etc/a = 1\n  0644 0:0 etc/c = 3\n"
        "layer app\n  0644 0:0 etc/d = 4\n"
    )


def test_a_layer_of_debs_is_the_same_in_every_image(tmp_path: Path) -> None:
    alone = composed(tmp_path, {"a": "etc/a = 1"})
    other = composed(tmp_path, {"a": "etc/a = 1", "b": "etc/b = 2"}, {"file/0": b"x"}, files=[file("/opt/x")])
    assert alone.layers["0"] == other.layers["0"]


def test_the_order_of_debs_and_layers_changes_no_path(tmp_path: Path) -> None:
    debs = {"a": "etc/a = 1\nopt/here -> /srv", "b": "opt/here/b = 2", "c": "opt/here/c = 3"}
    one, two = (composed(tmp_path, debs, layers=layers) for layers in ([["a"], ["b"], ["c"]], [["c", "b"], ["a"]]))
    every = [sorted({entry for rows in made.layers.values() for entry in rows}, key=repr) for made in (one, two)]
    assert every[0] == every[1]


def test_what_lies_under_merged_usr(tmp_path: Path) -> None:
    listing = "bin/sh -> dash\n0755 bin/dash = d\nsbin/init = i\nlib/x.so = x\nlib64/ld.so -> ../lib/x.so\nlib/"
    made = composed(tmp_path, {"a": listing})
    assert made.text("0", folders=False) == (
        "layer 0\n"
        "  0755 0:0 usr/bin/dash = d\n"
        "  0777 0:0 usr/bin/sh -> dash\n"
        "  0644 0:0 usr/lib/x.so = x\n"
        "  0777 0:0 usr/lib64/ld.so -> ../lib/x.so\n"
        "  0644 0:0 usr/sbin/init = i\n"
    )
    links = [line.strip() for line in made.text("system").splitlines() if " -> " in line]
    assert links == [
        "0777 0:0 bin -> usr/bin",
        "0777 0:0 lib -> usr/lib",
        "0777 0:0 lib64 -> usr/lib64",
        "0777 0:0 sbin -> usr/sbin",
        "0777 0:0 var/lock -> /run/lock",
        "0777 0:0 var/run -> /run",
    ]


def test_a_platform_without_lib64(tmp_path: Path) -> None:
    made = composed(tmp_path, platform="linux/arm64")
    assert not [entry for entry in made.layers["system"] if "lib64" in entry.path]


def test_a_deb_that_ships_the_merged_links_itself(tmp_path: Path) -> None:
    made = composed(tmp_path, {"base-files": "bin -> usr/bin\nlib -> usr/lib\nusr/bin/", "a": "bin/a = a"})
    assert made.text("0", "1", folders=False) == "layer 0\n  0644 0:0 usr/bin/a = a\nlayer 1\n"


def test_declared_files_land_where_links_lead(tmp_path: Path) -> None:
    made = composed(tmp_path, {"a": "opt/app -> /srv/app"}, {"file/0": b"x"}, files=[
        file("/bin/tool"), file("/opt/app/data"), file("/var/run/pid"),
    ])  # fmt: skip
    assert made.text("app", folders=False) == (
        "layer app\n  0644 0:0 run/pid = x\n  0644 0:0 srv/app/data = x\n  0644 0:0 usr/bin/tool = x\n"
    )


def test_links_that_go_round_in_circles(tmp_path: Path) -> None:
    error = refused(tmp_path, FormatError, {"a": "opt/a -> b\nopt/b -> a", "b": "opt/a/x = x"})
    assert error == 'cannot compose "/opt/a": its links go round in circles'


def test_what_stays_and_what_is_dropped(tmp_path: Path) -> None:
    listing = """
        usr/share/man/man1/a.1 = manual
        usr/share/doc/a/copyright = free
        usr/share/doc/a/README = read
        usr/include/a/a.h = header
        usr/share/empty/
    """
    made = composed(tmp_path, {"a": listing})
    assert made.text("0") == (
        "layer 0\n"
        "  0755 0:0 usr/\n"
        "  0755 0:0 usr/share/\n"
        "  0755 0:0 usr/share/doc/\n"
        "  0755 0:0 usr/share/doc/a/\n"
        "  0644 0:0 usr/share/doc/a/copyright = free\n"
        "  0755 0:0 usr/share/empty/\n"
    )
    assert made.report["debs"]["a"]["dropped"] == {"doc": 1, "headers": 1, "man": 1}
    assert (made.report["debs"]["a"]["files"], made.report["debs"]["a"]["bytes"]) == (1, 4)


@pytest.mark.parametrize(
    ("exclude", "keep", "left"),
    [
        ([], [], "etc/b etc/d/c opt/a"),
        (["/etc/b"], [], "etc/d/c opt/a"),
        (["/etc"], [], "opt/a"),
        (["/etc/*"], [], "opt/a"),
        (["/etc/?"], ["/etc/d"], "etc/d/c opt/a"),
        (["/**/c"], [], "etc/b opt/a"),
        (["/etc"], ["/etc/b"], "etc/b opt/a"),
        (["/etc/b"], ["/etc"], "etc/b etc/d/c opt/a"),
        (["/**"], ["/opt/*", "/etc/d/*"], "etc/d/c opt/a"),
        (["/etc/bb", "/et", "b"], [], "etc/b etc/d/c opt/a"),
        ([], ["/usr/share/man"], "etc/b etc/d/c opt/a usr/share/man/m"),
        (["/usr/share"], ["/usr/share/man/*"], "etc/b etc/d/c opt/a usr/share/man/m"),
    ],
)
def test_keep_beats_exclude(exclude: list[str], keep: list[str], left: str, tmp_path: Path) -> None:
    listing = "opt/a = a\netc/b = b\netc/d/c = c\nusr/share/man/m = m"
    made = composed(tmp_path, {"a": listing}, exclude=exclude, keep=keep)
    lines = made.text("0", folders=False).splitlines()[1:]
    assert " ".join(line.split()[2] for line in lines) == left


def test_patterns_may_name_paths_as_before_usr_merge(tmp_path: Path) -> None:
    made = composed(tmp_path, {"a": "bin/a = a\nlib/b = b"}, exclude=["/bin/a"])
    assert made.text("0", folders=False) == "layer 0\n  0644 0:0 usr/lib/b = b\n"


def test_what_the_image_declares_is_never_excluded(tmp_path: Path) -> None:
    made = composed(tmp_path, {"a": "etc/a = a"}, {"file/0": b"mine"}, exclude=["/etc/a"], files=[file("/etc/a")])
    assert made.text("0", "app", folders=False) == "layer 0\nlayer app\n  0644 0:0 etc/a = mine\n"


def test_privileges_are_taken_unless_the_image_keeps_them(tmp_path: Path) -> None:
    listing = "4755 usr/bin/su = su\n2755 0:42 usr/bin/expiry = e\n6755 usr/bin/both = b\n2775 0:8 var/mail/"
    made = composed(tmp_path, {"a": listing}, keep=["/usr/bin/su"])
    assert made.text("0", folders=False) == (
        "layer 0\n"
        "  0755 0:0 usr/bin/both = b\n"
        "  0755 0:42 usr/bin/expiry = e\n"
        "  4755 0:0 usr/bin/su = su\n"
        "  2775 0:8 var/mail/\n"
    )
    assert made.report["debs"]["a"]["unprivileged"] == ["usr/bin/both", "usr/bin/expiry"]


def test_a_deb_that_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path, AnalysisError, {"a": ""}, layers=[["a", "b"]])
    assert error == 'cannot compose the image: the index of deb "b" is not among the inputs'


def test_what_scanners_read(tmp_path: Path) -> None:
    made = composed(tmp_path, {"a": deb("a", "bin/a = a\nusr/share/man/m = m\netc/l -> m", Section="misc")})
    assert made.file("var/lib/dpkg/status.d/a") == (
        "Package: a\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n"
        "Maintainer: Small Archive <archive@example.com>\nDescription: made for a test\nSection: misc\n"
    )
    assert made.file("var/lib/dpkg/status.d/a.md5sums") == "0cc175b9c0f1b6a831c399e269772661  usr/bin/a\n"


def test_checksums_are_of_all_files_of_a_deb_that_are_there_and_of_no_others(tmp_path: Path) -> None:
    held = "etc/a.conf = a\nusr/bin/a = a\nusr/bin/b => usr/bin/a\nusr/share/man/m = m\nusr/lib/x = x"
    stated = f"{'1' * 32}  usr/bin/a\n{'2' * 32}  usr/share/man/m\n{'3' * 32}  usr/lib/x\n{'4' * 32}  usr/lib/never\n"
    made = composed(tmp_path, {"a": make_deb(held, {"Package": "a"}, md5sums=stated)}, exclude=["/usr/lib/x"])
    a = "0cc175b9c0f1b6a831c399e269772661"
    assert made.file("var/lib/dpkg/status.d/a.md5sums") == f"{a}  etc/a.conf\n{'1' * 32}  usr/bin/a\n{a}  usr/bin/b\n"
    (tmp_path / "none").mkdir()
    none = composed(tmp_path / "none", {"a": make_deb("usr/bin/a = a\nusr/bin/b = b", {"Package": "a"}, md5sums="")})
    b = "92eb5ffee6ae2fec3ad71c777531578f"
    assert none.file("var/lib/dpkg/status.d/a.md5sums") == f"{a}  usr/bin/a\n{b}  usr/bin/b\n"
