"""Go from source: a module with packages in other BUILD files, the standard library alone, other machines, errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]
MAIN = 'package main\n\nimport "fmt"\n\nvar Word = "none"\n\nfunc main() { fmt.Println(Word, more()) }\n'
FILES = {
    "app/BUILD": """
load("@distroless_rules//rules:defs.bzl", "distroless_image", "go_binary", "go_library")
go_binary(
    name = "plain",
    srcs = ["main.go", "more.go", "more_test.go"],
    x_defs = {"main.Word": "two words"},
    data = ["data/a.txt"],
)
go_binary(name = "broken", srcs = ["main.go", "broken.go"])
distroless_image(name = "image", binary = ":plain", contents = ["//module/cmd/tool"])
""",
    "app/main.go": MAIN,
    "app/more.go": 'package main\n\nfunc more() string { return "more" }\n',
    "app/more_test.go": "package main\n\nthis is not compiled\n",
    "app/broken.go": "package main\n\nfunc more() string { return 1 }\n",
    "app/data/a.txt": "a\n",
    "module/BUILD": """
load("@distroless_rules//rules:defs.bzl", "go_library")
go_library(name = "module", srcs = ["go.mod", "top.go"], visibility = ["//visibility:public"])
""",
    "module/go.mod": "module example.org/m\n\ngo 1.22\n",
    "module/top.go": "package m\n\nfunc Answer() int { return 42 }\n",
    "module/cmd/tool/BUILD": """
load("@distroless_rules//rules:defs.bzl", "go_binary")
go_binary(name = "tool", srcs = ["tool.go"], deps = ["//module"], visibility = ["//visibility:public"])
go_binary(name = "wrong", srcs = ["wrong.go"], deps = ["//module"])
""",
    "module/cmd/tool/tool.go": 'package main\n\nimport (\n\t"fmt"\n\n\tm "example.org/m"\n)\n\n'
    "func main() { fmt.Println(m.Answer()) }\n",
    "module/cmd/tool/wrong.go": 'package main\n\nimport _ "example.org/missing"\n\nfunc main() {}\n',
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("go"), shared, FILES)
    made.ask("lock")
    return made


def build(shop: Built, *words: str) -> subprocess.CompletedProcess[str]:
    return shop.attempt("build", *words)


def run(shop: Built, path: str) -> str:
    return subprocess.run([shop.root / "distroless-out" / path], capture_output=True, text=True, check=True).stdout


def test_programs_of_files_and_of_a_module(shop: Built) -> None:
    shop.ask("build", "//app:plain", "//module/cmd/tool")
    assert run(shop, "app/plain") == "two words more\n"
    assert run(shop, "module/cmd/tool/tool") == "42\n"


def test_an_image_of_them_has_no_deb_and_the_data(shop: Built) -> None:
    shop.ask("build", "//app:image")
    (known,) = json.loads(shop.ask("inspect", "--json", "//app:image"))
    assert known["config"]["Entrypoint"] == ["/usr/local/bin/plain"]
    assert known["report"]["debs"] == {}
    paths = {entry.path for layer in shop.layers("//app:image") for entry in layer}
    assert {"usr/local/bin/plain", "usr/local/bin/tool", "usr/local/share/plain/data/a.txt"} <= paths
    assert not [path for path in paths if path.startswith(("usr/lib/go", "usr/share/go")) or path.endswith(".go")]


def test_the_standard_library_is_compiled_once_for_each_platform(shop: Built) -> None:
    shop.ask("build", "//app:plain", "//module/cmd/tool")
    file = shop.root / "app/more.go"
    file.write_text(FILES["app/more.go"] + f"// {os.urandom(8).hex()}\n")
    assert " 1 run locally" in build(shop, "//app:plain", "//module/cmd/tool").stderr


@pytest.mark.parametrize(
    ("target", "messages"),
    [
        (
            "//app:broken",
            ["app/BUILD:9: cannot perform GoBuild for //app:broken", "\napp/broken.go:3:29: cannot use 1 "],
        ),
        ("//module/cmd/tool:wrong", ["\nmodule/cmd/tool/wrong.go:3:8: no required module provides package"]),
    ],
)
def test_the_compilers_message_names_the_workspaces_file(shop: Built, target: str, messages: list[str]) -> None:
    done = build(shop, target)
    assert done.returncode == 1
    for message in messages:
        assert message in done.stderr


def test_programs_for_another_machine(shop: Built) -> None:
    for platform, machine in {"linux/amd64": 62, "linux/arm64": 183}.items():  # EM_X86_64, EM_AARCH64; elf(5)
        shop.ask("build", "--platform", platform, "//app:plain")
        header = (shop.root / "distroless-out/app/plain").read_bytes()[:20]
        assert (header[:4], int.from_bytes(header[18:20], "little")) == (b"\x7fELF", machine)


@pytest.mark.long
def test_a_compiler_of_one_archive_for_an_image_of_another(shop: Built) -> None:
    (shop.root / "mixed").mkdir(exist_ok=True)
    (shop.root / "mixed/main.go").write_text('package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("mixed") }\n')
    (shop.root / "mixed/BUILD").write_text(
        'load("@distroless_rules//rules:defs.bzl", "distroless_image", "go_binary")\n'
        'load("@distroless_rules//toolchains:go.bzl", "go_toolchain")\n'
        'go_toolchain(name = "go", archive = "@trixie")\n'
        'go_binary(name = "mixed", srcs = ["main.go"], toolchain = ":go")\n'
        'distroless_image(name = "image", binary = ":mixed", contents = ["@bookworm//tzdata", "@bookworm//libc6"])\n'
    )
    shop.ask("build", "//mixed:image")
    (known,) = json.loads(shop.ask("inspect", "--json", "//mixed:image"))
    debs = known["report"]["debs"]
    assert debs["libc6"]["version"].startswith("2.36-")
    assert not [name for name in debs if name.startswith("golang")]
