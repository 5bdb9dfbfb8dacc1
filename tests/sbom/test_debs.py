"""What dpkg's records in an image say: distroless ones, and those of whole systems."""

from __future__ import annotations

import pytest

from distroless_rules.errors import FormatError
from distroless_rules.sbom.debs import find
from tests.support.billed import files

_OS = 'ID=debian\nVERSION_ID="13"\n'


def stanza(name: str, version: str = "1.0-1", **more: str) -> str:
    fields = {"Package": name, "Status": "install ok installed", "Architecture": "amd64", "Version": version} | more
    return "".join(f"{field.replace('_', '-')}: {value}\n" for field, value in fields.items())


def test_a_distroless_image_says_what_is_in_it() -> None:
    image = files(
        {
            "etc/os-release": _OS,
            "usr/bin/tool": "tool",
            "usr/share/doc/tool/copyright": "free",
            "var/lib/dpkg/status.d/tool": stanza(
                "tool", "1:2.0~rc+dfsg-1", Maintainer="A B <a@b.example>", Homepage="https://b.example/",
                Description="does it\n long text", Source="tools (1:2.0~rc+dfsg-0)", Depends="libc6 (>= 2) | dietlibc",
            ),
            "var/lib/dpkg/status.d/tool.md5sums": f"{'0' * 32}  usr/bin/tool\n{'0' * 32}  usr/bin/gone\n",
            "var/lib/dpkg/status.d/libc6": stanza("libc6"),
        }
    )  # fmt: skip
    libc, tool = sorted(find(image, {"tool": "ab" * 32}), key=lambda each: each.name)
    assert tool.purl == "pkg:deb/debian/tool@1:2.0~rc%2Bdfsg-1?arch=amd64&distro=debian-13"
    assert (tool.name, tool.version, tool.sha256) == ("tool", "1:2.0~rc+dfsg-1", "ab" * 32)
    assert (tool.supplier, tool.homepage, tool.summary) == ("A B <a@b.example>", "https://b.example/", "does it")
    assert tool.files == ("usr/bin/tool",)
    assert tool.licence.expression.startswith("LicenseRef-copyright-")
    assert tool.depends == (libc.purl,)
    assert tool.source is not None
    assert (tool.source.name, tool.source.version) == ("tools", "1:2.0~rc+dfsg-0")
    assert tool.source.purl == "pkg:deb/debian/tools@1:2.0~rc%2Bdfsg-0?arch=source&distro=debian-13"
    assert libc.source is not None
    assert (libc.source.name, libc.source.version) == ("libc6", "1.0-1")
    assert (libc.licence.expression, libc.files, libc.sha256) == ("", (), "")


def test_a_whole_system_says_what_is_in_it() -> None:
    status = "\n".join(
        [
            stanza("coreutils", Pre_Depends="libc6, tar"),
            stanza("libc6", Multi_Arch="same", Provides="libc (= 2)"),
            stanza("gone", Status="deinstall ok config-files"),
            stanza("tar", Depends="libc"),
        ]
    )
    image = files(
        {
            "etc/os-release": "ID=ubuntu\nVERSION_ID=24.04\n",
            "usr/bin/ls": "ls",
            "usr/lib/libc.so": "libc",
            "etc/libc.conf": "changed",
            "var/lib/dpkg/status": status,
            "var/lib/dpkg/info/coreutils.list": "/.\n/bin\n/bin/ls\n/bin/gone\n",
            "var/lib/dpkg/info/libc6:amd64.list": "/lib/libc.so\n/etc\n/etc/libc.conf\n",
        },
        links={"bin": "usr/bin", "lib": "usr/lib"},
    )
    found = {each.name: each for each in find(image, {})}
    assert sorted(found) == ["coreutils", "libc6", "tar"]
    assert found["coreutils"].files == ("usr/bin/ls",), "the folder is a link"
    assert found["libc6"].files == ("usr/lib/libc.so", "etc/libc.conf")
    assert found["coreutils"].purl.endswith("pkg:deb/ubuntu/coreutils@1.0-1?arch=amd64&distro=ubuntu-24.04")
    assert found["coreutils"].depends == tuple(sorted([found["libc6"].purl, found["tar"].purl]))
    assert found["tar"].depends == (found["libc6"].purl,), "of what provides it"


def test_a_system_with_a_name_of_its_own_has_debs_of_debian() -> None:
    image = files({"usr/lib/os-release": "ID=shop\nVERSION_ID=3\n", "var/lib/dpkg/status.d/x": stanza("x")})
    assert find(image, {})[0].purl == "pkg:deb/debian/x@1.0-1?arch=amd64&distro=debian"


def test_the_licence_may_be_beside_that_of_another_deb() -> None:
    image = files(
        {"var/lib/dpkg/status.d/x": stanza("x"), "usr/share/doc/y/copyright": "of y"},
        links={"usr/share/doc/x": "y"},
    )
    assert find(image, {})[0].licence.expression.startswith("LicenseRef-copyright-")


def test_links_in_circles_lead_nowhere() -> None:
    lists = {"var/lib/dpkg/status.d/x": stanza("x"), "var/lib/dpkg/status.d/x.md5sums": f"{'0' * 32}  a/b/c\n"}
    found = find(files(lists, links={"a": "b", "b": "a", "usr/share/doc/x": "x/x/x"}), {})
    assert (found[0].files, found[0].licence.expression) == ((), "")


def test_a_malformed_record_is_an_error_that_names_it() -> None:
    with pytest.raises(FormatError, match=r'cannot read "/var/lib/dpkg/status\.d/x"'):
        find(files({"var/lib/dpkg/status.d/x": "Package: x\nnonsense\n"}), {})


def test_no_records_are_no_debs() -> None:
    assert find(files({"bin/sh": "sh"}), {}) == []
