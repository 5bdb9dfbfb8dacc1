"""Requests that are wrong: BUILD files, distroless.toml, labels, words. Exit status 2, and everything stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.scene import BUILD, Scene, scene


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("requests")) as made:
        yield made
        made.recovers()


IMAGE = '[workspace]\nname = "w"\n'
LOAD = 'load("@distroless_rules//rules:defs.bzl", "distroless_image")\n'
CASES: dict[str, tuple[dict[str, str], str]] = {
    "a syntax error": (
        {"BUILD": "distroless_image(\n"},
        'distroless: BUILD:1:17: cannot parse BUILD: "(" is never closed',
    ),
    "an unknown name": (
        {"BUILD": 'distroles_image(name = "x")\n'},
        (
            "distroless: BUILD:1:1: cannot evaluate BUILD: "
            '"distroles_image" is not defined; did you mean "distroless_image"?'
        ),
    ),
    "a Python that BUILD files are not": (
        {"BUILD": "import os\n"},
        'distroless: BUILD:1:1: cannot parse BUILD: "import" is not part of Starlark',
    ),
    "an unknown attribute": (
        {"BUILD": LOAD + 'distroless_image(name = "image", content = [])\n'},
        (
            'distroless: BUILD:2:34: cannot set "content": '
            'distroless_image has no such attribute; did you mean "contents"?'
        ),
    ),
    "an attribute of another type": (
        {"BUILD": LOAD + 'distroless_image(name = "image", contents = "x")\n'},
        'distroless: BUILD:2:34: cannot set "contents": expected a list of labels, got the string "x"',
    ),
    "an item of another type": (
        {"BUILD": LOAD + 'distroless_image(name = "image", contents = [1])\n'},
        'distroless: BUILD:2:34: cannot set "contents": expected a list of labels, got the list [1]',
    ),
    "no name": (
        {"BUILD": LOAD + "distroless_image()\n"},
        'distroless: BUILD:2:1: cannot declare a distroless_image: it has no name; give it name = "..."',
    ),
    "two of one name": (
        {"BUILD": BUILD + BUILD.partition("\n")[2]},
        (
            'distroless: BUILD:8:1: cannot declare "//:image": '
            'the package has a distroless_image named "image" already, at BUILD:3'
        ),
    ),
    "a label that is none": (
        {"BUILD": BUILD.replace("@trixie//small", "//:a:b")},
        (
            'distroless: BUILD:5:17: cannot read label "//:a:b": '
            'the name "a:b" has the part "a:b"; expected //package:name, :name, //package or @archive//deb-name'
        ),
    ),
    "an unknown target": (
        {"BUILD": BUILD.replace("@trixie//small", ":imag")},
        'distroless: BUILD:5:17: cannot resolve "//:imag": no such target or file; did you mean ":image"?',
    ),
    "an unknown package": (
        {"BUILD": BUILD.replace("@trixie//small", "//app:x")},
        'distroless: BUILD:5:17: cannot resolve "//app:x": there is no file app/BUILD',
    ),
    "an unknown archive": (
        {"BUILD": BUILD.replace("@trixie", "@trixy")},
        'distroless: BUILD:5:17: cannot resolve "@trixy//small": there is no archive "trixy"; did you mean "trixie"?',
    ),
    "an unknown deb": (
        {"BUILD": BUILD.replace("//small", "//smal")},
        (
            "distroless: BUILD:3: cannot resolve @trixie//smal: "
            'its suites (trixie) have no such deb; did you mean "small"?'
        ),
    ),
    "a rule that is not there": (
        {"BUILD": BUILD.replace('"distroless_image")', '"distroless_imag")')},
        (
            "distroless: BUILD:3:1: cannot evaluate BUILD: "
            '"distroless_image" is not defined; load("@distroless_rules//rules:defs.bzl", "distroless_image")'
        ),
    ),
    "a .bzl file that is not there": (
        {"BUILD": 'load("//:x.bzl", "x")\n'},
        'distroless: BUILD:1:6: cannot load "//:x.bzl": there is no file x.bzl',
    ),
    "a cycle": (
        {"BUILD": LOAD + 'filegroup(name = "image", srcs = [":b"])\nfilegroup(name = "b", srcs = [":image"])\n'},
        'distroless: BUILD:3:23: cannot analyse "//:image": targets need each other: //:image -> //:b -> //:image',
    ),
    "a target that is not visible": (
        {
            "BUILD": BUILD.replace('"@trixie//small"', '"//app:x"'),
            "app/BUILD": 'filegroup(name = "x", srcs = [], visibility = ["//visibility:private"])\n',
        },
        (
            'distroless: BUILD:5:17: cannot use "//app:x": '
            'it is not visible to package "//"; it is visible to "//visibility:private"'
        ),
    ),
    "an error in a BUILD file": (
        {"BUILD": "x = [1][2]\n"},
        'distroless: BUILD:1:5: cannot evaluate BUILD: Index "2" is out of bound',
    ),
    "TOML that is none": (
        {"distroless.toml": "[workspace\n"},
        (
            "distroless: distroless.toml:1:11: cannot read distroless.toml: "
            "Expected ']' at the end of a table declaration"
        ),
    ),
    "an unknown setting": (
        {"distroless.toml": IMAGE + "nam = 1\n"},
        'distroless: distroless.toml:3:1: cannot read "nam" in [workspace]: no such key; did you mean "name"?',
    ),
    "a setting of another type": (
        {"distroless.toml": "[workspace]\nname = 7\n"},
        'distroless: distroless.toml:2:1: cannot read "name" in [workspace]: expected a string, got 7',
    ),
    "an archive of an unknown type": (
        {"distroless.toml": IMAGE + '[archive.a]\ntype = "rpm"\n'},
        'distroless: distroless.toml:4:1: cannot read "type" in [archive.a]: "rpm" is not known; write "deb"',
    ),
    "a lock that is none": (
        {"distroless.lock": "[1, 2\n"},
        "distroless: distroless.lock:2:1: cannot read distroless.lock: it is not JSON: Expecting ',' delimiter",
    ),
    "a lock of a newer version": (
        {"distroless.lock": '{"version": 9}\n'},
        (
            "distroless: distroless.lock:1: cannot read distroless.lock: "
            "it is of version 9, and this program knows version 1; use a newer distroless-rules"
        ),
    ),
}


@pytest.mark.parametrize(("change", "error"), CASES.values(), ids=list(CASES))
def test_a_wrong_file(built: Scene, change: dict[str, str], error: str) -> None:
    built.fails(2, error, change=change)


WORDS = {
    "build": (
        "Usage: distroless build [OPTIONS] PATTERNS...\n"
        "Try 'distroless build --help' for help.\n"
        "\n"
        "Error: Missing argument 'PATTERNS...'."
    ),
    "build //:imag": 'distroless: cannot resolve "//:imag": no such target or file; did you mean "//:image"?',
    "build //app:x": 'distroless: cannot resolve "//app:x": there is no file app/BUILD',
    "build //app/...": 'distroless: cannot find targets of "//app/...": no folder there has a BUILD file',
    "build //:image:x": (
        'distroless: cannot read label "//:image:x": '
        'the name "image:x" has the part "image:x"; expected //package:name, :name, //package or @archive//deb-name'
    ),
    "build @trixie//": (
        'distroless: cannot read label "@trixie//": '
        "its name is empty; expected //package:name, :name, //package or @archive//deb-name"
    ),
    "build ../:image": (
        'distroless: cannot read label "//..:image": '
        'the package ".." has the part ".."; expected //package:name, :name, //package or @archive//deb-name'
    ),
    "build //:image --platform=linux/riscv": (
        'distroless: cannot use platform "linux/riscv": it is not known; did you mean "linux/riscv64"?'
    ),
    "build //:image --define=x": 'distroless: cannot read --define "x": expected KEY=VALUE',
    "build //:image --jobs=many": (
        "Usage: distroless build [OPTIONS] PATTERNS...\n"
        "Try 'distroless build --help' for help.\n"
        "\n"
        "Error: Invalid value for '-j' / '--jobs': 'many' is not a valid integer range."
    ),
    "build //:image --output=tar=x": (
        'distroless: cannot read --output "tar=x": expected docker-archive=FILE or oci-archive=FILE'
    ),
    "query deps(": (
        "distroless: query:6: cannot read the query: expected a target pattern, a function or (, found the end\n"
        "  deps(\n"
        "       ^"
    ),
    "query dep(//:image)": (
        'distroless: query:1: cannot read the query: there is no function "dep"; did you mean "deps"?\n'
        "  dep(//:image)\n"
        "  ^"
    ),
    "biuld //:image": (
        "Usage: distroless [OPTIONS] VERB [ARGUMENTS]...\n"
        "Try 'distroless --help' for help.\n"
        "\n"
        'Error: there is no verb "biuld"; did you mean "build"?'
    ),
    "run //:nothing": 'distroless: cannot resolve "//:nothing": no such target or file',
    "plan //:nothing": 'distroless: cannot resolve "//:nothing": no such target or file',
    "inspect //:nothing": 'distroless: cannot resolve "//:nothing": no such target or file',
    "lock --update nothing": 'distroless: cannot update "nothing": neither distroless.lock nor a BUILD file has it',
    "cache gc --max-size=much": (
        'distroless: cannot read the size "much": expected a number with a unit; 500MB, 2GiB, 0'
    ),
}


@pytest.mark.parametrize(("words", "error"), WORDS.items(), ids=list(WORDS))
def test_wrong_words(built: Scene, words: str, error: str) -> None:
    built.fails(2, error, *words.split())
