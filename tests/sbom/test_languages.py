"""Packages that languages' own tools put into an image, by what they say of themselves."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.sbom.languages import find
from distroless_rules.sbom.programs import go_modules, jar_artifacts
from tests.support.billed import files

_SITE = "usr/local/lib/app/site-packages"


def test_a_wheel_has_the_files_that_it_records() -> None:
    image = files(
        {
            f"{_SITE}/Some_Pkg-1.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: Some_Pkg\nVersion: 1.0+local\n"
            "Summary: does it\nHome-page: https://a.example\nLicense-Expression: MIT OR Apache-2.0\n\nlong\n",
            f"{_SITE}/Some_Pkg-1.0.dist-info/RECORD": "some/__init__.py,sha256=x,1\n../bin/some,,\n"
            "../../../../../../etc/passwd,,\n"
            "/usr/lib/x,,\n"
            '"some/a,b.py",,\n',
            f"{_SITE}/some/__init__.py": "",
            f"{_SITE}/some/a,b.py": "",
            f"{_SITE}/other.py": "",
            "usr/local/lib/app/bin/some": "",
            "etc/passwd": "",
            "usr/lib/x": "",
        }
    )  # fmt: skip
    (found,) = find(image, frozenset({"etc/passwd"}))
    assert found.purl == "pkg:pypi/some-pkg@1.0%2Blocal"
    assert (found.name, found.version, found.summary) == ("Some_Pkg", "1.0+local", "does it")
    assert found.licence.expression == "MIT OR Apache-2.0"
    assert set(found.files) == {
        "usr/local/lib/app/bin/some",
        f"{_SITE}/Some_Pkg-1.0.dist-info/METADATA",
        f"{_SITE}/Some_Pkg-1.0.dist-info/RECORD",
        f"{_SITE}/some/__init__.py",
        f"{_SITE}/some/a,b.py",
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("License: BSD-3-Clause\n", "BSD-3-Clause"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n", "MIT"),
        ("License: it is free\nClassifier: License :: OSI Approved :: Apache Software License\n", "Apache-2.0"),
        ("License: a whole\n text of many\n lines\n", ""),
        ("", ""),
    ],
)
def test_a_wheel_says_its_licence_in_one_of_three_ways(fields: str, expected: str) -> None:
    (found,) = find(files({"a/x-1.dist-info/METADATA": f"Name: x\nVersion: 1\n{fields}"}), frozenset())
    assert found.licence.expression == expected


def test_a_package_of_node_has_what_is_in_its_folder_and_in_no_other_package() -> None:
    top = "app/node_modules"
    image = files(
        {
            f"{top}/a/package.json": json.dumps({"name": "a", "version": "1.0.0", "license": "ISC"}),
            f"{top}/a/lib/index.js": "",
            f"{top}/a/lib/package.json": '{"type": "module"}',
            f"{top}/a/node_modules/@s/b/package.json": json.dumps(
                {"name": "@s/b", "version": "2.0.0", "licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}
            ),
            f"{top}/a/node_modules/@s/b/index.js": "",
            f"{top}/broken/package.json": "{",
            f"{top}/odd/package.json": "[" * 100_000,
            f"{top}/list/package.json": '["name"]',
            f"{top}/numbers/package.json": '{"name": 1, "version": 2}',
            "app/package.json": json.dumps({"name": "app", "version": "0.0.0"}),
        }
    )
    b, a = find(image, frozenset())  # by path
    assert (a.purl, a.licence.expression) == ("pkg:npm/a@1.0.0", "ISC")
    assert a.files == (f"{top}/a/lib/index.js", f"{top}/a/lib/package.json", f"{top}/a/package.json")
    assert (b.purl, b.licence.expression) == ("pkg:npm/%40s/b@2.0.0", "MIT OR GPL-2.0-only")
    assert b.files == (f"{top}/a/node_modules/@s/b/index.js", f"{top}/a/node_modules/@s/b/package.json")


def program(text: str, version: str = "go1.24.4") -> bytes:
    """Give a program with the build information that Go's linker writes, runtime/debug and cmd/link."""

    def string(data: bytes) -> bytes:
        size, head = len(data), b""
        while size >= 0x80:
            head, size = head + bytes([size & 0x7F | 0x80]), size >> 7
        return head + bytes([size]) + data

    framed = b"0" * 16 + text.encode() + b"1" * 16
    head = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    return b"\x7fELF" + bytes(60) + head + string(version.encode()) + string(framed)


_GO = (
    "path\texample.org/service\nmod\texample.org/service\t(devel)\t\ndep\tgithub.com/a/b/v2\tv2.1.0\th1:x=\n"
    "dep\tgolang.org/x/c\tv0.1.0\n=>\texample.org/fork\tv0.2.0\th1:y=\nbuild\t-compiler=gc\n"
)


def test_a_program_in_go_says_its_modules() -> None:
    assert go_modules(program(_GO)) == [
        ("example.org/service", "(devel)"),
        ("github.com/a/b/v2", "v2.1.0"),
        ("example.org/fork", "v0.2.0"),
        ("stdlib", "1.24.4"),
    ]
    found = {each.purl: each for each in find(files({"app/server": program(_GO)}), frozenset())}
    own = found["pkg:golang/example.org/service"]
    assert own.files == ("app/server",)
    assert own.depends == tuple(sorted(set(found) - {own.purl}))
    assert set(own.depends) == {
        "pkg:golang/github.com/a/b/v2@v2.1.0",
        "pkg:golang/example.org/fork@v0.2.0",
        "pkg:golang/stdlib@1.24.4",
    }
    assert find(files({"app/server": program(_GO)}), frozenset({"app/server"})) == [], "of a deb it is known already"


@given(st.binary(max_size=80), st.integers(0, 400))
def test_damaged_programs_have_no_modules_or_some(tail: bytes, cut: int) -> None:
    go_modules(program(_GO)[:cut] + tail)
    assert go_modules(b"\xff Go buildinf:" + tail) is not None


def jar(**members: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"META-INF/maven/{name}/pom.properties", text)
        archive.writestr("A.class", b"\xca\xfe")
    return data.getvalue()


def test_a_jar_says_its_artifacts() -> None:
    data = jar(**{
        "org.a/other": "# made\ngroupId=org.a\nartifactId=other\nversion=2\n",
        "org.a/tool": "version=1.0\r\ngroupId=org.a\r\nartifactId=tool\r\n",
        "org.a/half": "groupId=org.a\n",
    })  # fmt: skip
    tool, other = find(files({"app/tool-1.0.jar": data}), frozenset())
    assert (tool.purl, tool.files, tool.depends) == ("pkg:maven/org.a/tool@1.0", ("app/tool-1.0.jar",), (other.purl,))
    assert (other.purl, other.files) == ("pkg:maven/org.a/other@2", ())


@given(st.binary(max_size=60), st.integers(0, 600), st.integers(0, 600))
def test_damaged_jars_have_no_artifacts_or_some(noise: bytes, start: int, end: int) -> None:
    data = jar(**{"a/b": "groupId=a\nartifactId=b\nversion=1\n"})
    jar_artifacts(data[:start] + noise + data[end:])
    assert jar_artifacts(b"PK" + noise) == []
