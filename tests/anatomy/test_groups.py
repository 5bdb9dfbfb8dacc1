"""Debs in groups: small fat images in, the group of each deb, what stays and why out."""

from __future__ import annotations

from pathlib import Path

import pytest

from distroless_rules.analyzing import analyzed
from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.anatomy.groups import Group
from distroless_rules.errors import FormatError
from distroless_rules.oci.config import Start
from tests.support.elf import make_elf
from tests.support.fat import Deb, deb, fat
from tests.support.image import directory, file, layout_of, tar

LIB = "usr/lib/x86_64-linux-gnu"
LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBC = deb(
    "libc6",
    section="libs",
    files={f"{LIB}/libc.so.6": make_elf(soname="libc.so.6"), "lib64/ld-linux-x86-64.so.2": make_elf()},
)
TOOLS = [
    deb("gcc", "libmpc, libc6 (>= 1)", section="devel", files={"usr/bin/gcc": make_elf(needed=["libc.so.6"])}),
    deb("libmpc", "libgmp | other", section="libs", automatic=True),
    deb("libgmp", "libc6", section="libs", automatic=True),
    deb("apt", "libapt, libgmp", section="admin", priority="important"),
    deb("libapt", "libc6", section="libs"),
    deb("dpkg", "libc6", essential="yes", section="admin", priority="required"),
    deb("bash", "libc6", essential="yes", files={"usr/bin/bash": make_elf(), "usr/bin/sh": "bash"}),
]
PROGRAM = make_elf(needed=["libfast.so.1", "libc.so.6"], interpreter=LOADER)
FAST = deb("libfast1", "libc6, dpkg", section="libs", automatic=True, files={f"{LIB}/libfast.so.1": make_elf()})


def look(folder: Path, debs: list[Deb], own: dict[str, bytes | str], *words: str, **more: object) -> Anatomy:
    image = fat(folder / "image", debs, own, start=Start(words), **more)  # type: ignore[arg-type]
    with analyzed(str(image)) as found:
        assert found.estimate <= found.size
        assert sum(found.total(group).size for group in Group) == found.size
        return found


def groups(anatomy: Anatomy) -> dict[str, str]:
    """Give each deb's group, with those that need it where they are several."""
    found = {}
    for name in anatomy.database.debs:
        by = "+".join(each.value for each in anatomy.grouped.needed_by[name])
        found[name] = f"{by}{' stays' if name in anatomy.grouped.stays else ''}"
    return found


def test_each_deb_is_in_the_group_that_needs_it(tmp_path: Path) -> None:
    found = look(tmp_path, [LIBC, *TOOLS, FAST], {"srv/run": PROGRAM}, "/srv/run")
    assert groups(found) == {
        "apt": "manager",
        "bash": "unused",
        "dpkg": "manager",
        "gcc": "build",
        "libapt": "manager",
        "libc6": "runtime+build+manager+unused stays",
        "libfast1": "runtime stays",
        "libgmp": "build+manager",
        "libmpc": "build",
    }
    assert found.grouped.group("libc6") is Group.SHARED
    assert found.grouped.roots[Group.RUNTIME] == ("libfast1",)
    assert found.why["libfast1"] == f"/srv/run leads to /{LIB}/libfast.so.1"
    assert found.application == {"srv/run"}
    assert ("libfast1", "dpkg") in [row[:2] for row in found.grouped.cuts]


def test_scripts_bring_their_interpreter_and_what_they_call(tmp_path: Path) -> None:
    tools = [deb("sed", files={"usr/bin/sed": make_elf()}), deb("curl", files={"usr/bin/curl": make_elf()})]
    script = b"#!/bin/sh\n# curl is not called\nif sed -i s/a/b/ /etc/x; then exec /srv/run; fi\n"
    merged: dict[str, bytes | str] = {"bin": "usr/bin"}
    own: dict[str, bytes | str] = {"start": script, "srv/run": PROGRAM, "srv/unused.sh": b"#!/bin/sh\ncurl\n"}
    found = look(tmp_path, [LIBC, *TOOLS, FAST, *tools], own, "/start", extra=merged)
    assert found.grouped.stays == {"bash", "libc6", "libfast1", "sed"}
    assert found.why["sed"] == "/usr/bin/sed: /start runs it"


def test_a_program_that_only_mentions_a_shell_needs_none(tmp_path: Path) -> None:
    own: dict[str, bytes | str] = {"srv/run": make_elf(needed=["libc.so.6"], symbols=["/usr/bin/bash", "/usr/bin/env"])}
    assert look(tmp_path, [LIBC, *TOOLS], own, "/srv/run").grouped.stays == {"libc6"}


def test_a_wrapper_starts_what_its_arguments_name(tmp_path: Path) -> None:
    tini = deb("tini", "libc6", files={"usr/bin/tini": make_elf()})
    found = look(tmp_path, [LIBC, *TOOLS, FAST, tini], {"usr/local/bin/run": PROGRAM}, "tini", "--", "run", "gcc")
    assert found.grouped.stays == {"libc6", "libfast1", "tini"}


def test_installed_by_name_counts_where_files_say_nothing(tmp_path: Path) -> None:
    more = [
        deb("fonts-nice", files={"usr/share/fonts/nice.ttf": b"font"}),
        deb("git", section="net", files={"usr/bin/git": make_elf()}),
        deb("vim", section="editors", files={"usr/bin/vim": make_elf()}),
        deb("fonts-dependency", files={"usr/share/fonts/other.ttf": b"font"}, automatic=True),
    ]
    own: dict[str, bytes | str] = {
        "srv/run": PROGRAM,
        "srv/app.py": b'import subprocess\nsubprocess.run(["git", "log"])\n',
    }
    found = look(tmp_path, [LIBC, *TOOLS, FAST, *more], own, "/srv/run")
    assert found.grouped.stays == {"fonts-nice", "git", "libc6", "libfast1"}
    assert found.why["git"] == '/srv/app.py names its program "git"'
    assert found.idle == ("vim",)


def test_a_changed_file_of_a_deb_is_the_applications(tmp_path: Path) -> None:
    server = deb("server", "libc6", files={"usr/sbin/server": PROGRAM, "etc/server.conf": b"a", "etc/other.conf": b"b"})
    own: dict[str, bytes | str] = {"etc/server.conf": b"changed", "etc/server.d/mine.conf": b"m"}
    found = look(tmp_path, [LIBC, FAST, server], own, "/usr/sbin/server")
    assert found.changed == {"etc/server.conf"}
    assert found.application == {"etc/server.conf", "etc/server.d/mine.conf"}


def test_what_scripts_and_commands_leave_behind_is_not_the_applications(tmp_path: Path) -> None:
    scripted = deb("server", "libc6", postinst="#!/bin/sh\ncp /usr/share/server.conf /etc/server.conf\n")
    extra: dict[str, bytes | str] = {
        "etc/server.conf": b"made by its script",
        "etc/ld.so.cache": b"c",
        "etc/alternatives/pager": "/usr/bin/less",
        "usr/bin/pager": "/etc/alternatives/pager",
        "var/cache/apt/archives/x.deb": b"deb",
        "usr/share/server/__pycache__/a.pyc": b"p",
        "usr/share/server/a.py": b"import os\n",
        "bin": "usr/bin",
        "usr/local/include/x.h": b"h",
    }
    found = look(tmp_path, [LIBC, *TOOLS, scripted], {}, "/usr/bin/bash", extra=extra)
    assert found.application == {"usr/share/server/a.py"}
    assert found.left["etc/server.conf"].deb == "server"
    assert found.left_in(Group.BUILD) == ["usr/local/include/x.h"]
    assert "var/cache/apt/archives/x.deb" in found.left_in(Group.MANAGER)


def test_a_file_that_a_script_names_and_a_later_layer_changes_is_the_applications(tmp_path: Path) -> None:
    scripted = deb("server", "libc6", postinst="#!/bin/sh\ncp /usr/share/server.conf /etc/server.conf\n")
    found = look(tmp_path, [LIBC, scripted], {"etc/server.conf": b"mine"}, "/x", extra={"etc/server.conf": b"its"})
    assert "etc/server.conf" in found.application


def test_debs_of_two_architectures_need_those_of_their_own(tmp_path: Path) -> None:
    old = deb("wine32", "libc6", architecture="i386")
    other = Deb("libc6", {**LIBC.fields, "Architecture": "i386"}, {"usr/lib/i386-linux-gnu/libc.so.6": b"x"})
    image = fat(tmp_path / "image", [LIBC, *TOOLS, old], {"srv/run": PROGRAM}, start=Start(("/srv/run",)))
    del image
    status = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: {arch}\n{more}"
        for name, arch, more in [
            ("dpkg", "amd64", ""),
            ("libc6", "amd64", "Multi-Arch: same\n"),
            ("libc6", "i386", "Multi-Arch: same\n"),
            ("wine32", "i386", "Depends: libc6\n"),
            ("gone", "amd64", ""),
        ]
    ).replace("Package: gone\nStatus: install ok installed", "Package: gone\nStatus: deinstall ok config-files")
    lists = {
        "libc6:amd64": b"/usr/lib/a.so\n",
        "libc6:i386": b"/usr/lib/i.so\n",
        "wine32": b"/usr/bin/wine\n",
    }
    members = [file(f"var/lib/dpkg/info/{name}.list", data) for name, data in lists.items()]
    members += [file("var/lib/dpkg/status", status.encode()), file("usr/lib/a.so", b"a"), file("usr/lib/i.so", b"i")]
    layout_of(tmp_path / "two", [tar(*members)])
    with analyzed(str(tmp_path / "two")) as found:
        assert found.database.edges["wine32:i386"] == ("libc6:i386",)
        assert found.database.owner("usr/lib/i.so") == "libc6:i386"
        assert set(found.database.debs) == {"dpkg", "libc6", "libc6:i386", "wine32:i386"}
    assert other.fields["Architecture"] == "i386"


def test_diverted_files_and_those_below_links_have_their_owner(tmp_path: Path) -> None:
    mine = deb("dash", files={"usr/bin/sh": "dash", "usr/bin/dash": make_elf()})
    extra: dict[str, bytes | str] = {
        "bin": "usr/bin",
        "usr/bin/which.real": b"was which",
        "var/lib/dpkg/diversions": b"/usr/bin/which\n/usr/bin/which.real\nother\n",
    }
    which = deb("which", files={})
    listed = Deb("which", which.fields, {})
    image = fat(tmp_path / "image", [mine, listed], start=Start(("/bin/sh", "-c", "a | b")), extra=extra)
    layout = image
    with analyzed(str(layout)) as found:
        assert "dash" in found.grouped.stays
    base = file("var/lib/dpkg/info/which.list", b"/.\n/bin\n/bin/which\n/usr/bin/which\n")
    fat(tmp_path / "second", [mine, listed], None, [directory("var"), base], extra=extra)
    with analyzed(str(tmp_path / "second")) as found:
        assert found.database.owner("usr/bin/which.real") == "which"


@pytest.mark.parametrize("path", ["lib/apk/db/installed", "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/Packages"])
def test_other_package_managers_are_named(tmp_path: Path, path: str) -> None:
    layout_of(tmp_path / "image", [tar(file(path, b"x"))])
    with (
        pytest.raises(FormatError, match=rf"it consists of .*ackages.*it has /{path}"),
        analyzed(str(tmp_path / "image")),
    ):
        pass


def test_without_a_database_everything_is_the_applications(tmp_path: Path) -> None:
    layout_of(tmp_path / "image", [tar(file("srv/run", PROGRAM, 0o755), file("etc/passwd", b""))], Start(("/srv/run",)))
    with analyzed(str(tmp_path / "image")) as found:
        assert found.application == {"srv/run", "etc/passwd"}
        assert found.grouped.stays == frozenset()


def test_dependencies_that_go_round_and_fields_that_are_hostile(tmp_path: Path) -> None:
    ring = [deb(f"ring{n}", f"ring{(n + 1) % 50}", section="devel") for n in range(50)]
    assert set(groups(look(tmp_path, ring, {})).values()) == {"build"}
    with pytest.raises(FormatError, match="is malformed"):
        look(tmp_path / "bad", [deb("bad", "x (>>> 1")], {})
