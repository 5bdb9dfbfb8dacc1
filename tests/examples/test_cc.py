"""C and C++ from source, by a real compiler in a sandbox: what is built again, for which machine, what errors say."""

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
FILES = {
    "app/BUILD": """
load("@distroless_rules//rules:defs.bzl", "cc_binary", "cc_library", "distroless_image", "genrule")
cc_library(name = "base", srcs = ["base.c", "base_private.h"], hdrs = ["base.h"], defines = ["SCALE=7"])
cc_library(name = "shapes", srcs = ["shapes.cc"], hdrs = ["include/shapes.h"], includes = ["include"], deps = [":base"])
cc_binary(name = "c", srcs = ["main.c"], deps = [":base"])
cc_binary(name = "cxx", srcs = ["main.cc"], deps = [":shapes"], linkopts = ["-lm"])
genrule(
    name = "posix",
    srcs = ["base.h"],
    outs = ["posix.txt"],
    cmd = "tar -cf - $< | xz | xz -d | tar -tf - | awk '{print toupper($$0)}' | sed s/BASE/x/ > $@;" +
          "find . -name '*.h' >> $@",
)
cc_binary(name = "broken", srcs = ["broken.c"])
cc_binary(name = "undeclared", srcs = ["undeclared.c"])
distroless_image(name = "image", binary = ":cxx", contents = [":c"])
""",
    "app/base.h": '#ifdef __cplusplus\nextern "C"\n#endif\nint base(int);\n',
    "app/base_private.h": "#define OFFSET 0\n",
    "app/base.c": '#include "app/base.h"\n#include "base_private.h"\nint base(int x) { return x * SCALE + OFFSET; }\n',
    "app/include/shapes.h": "#include <string>\nstd::string shape(int);\n",
    "app/shapes.cc": '#include "shapes.h"\n#include "app/base.h"\n'
    "std::string shape(int x) { return std::to_string(base(x)); }\n",
    "app/main.c": '#include "app/base.h"\n#include <stdio.h>\n'
    'int main(void) { return printf("%d\\n", base(6)) < 0; }\n',
    "app/main.cc": '#include "shapes.h"\n#include <iostream>\nint main() { std::cout << shape(SCALE) << std::endl; }\n',
    "app/broken.c": "int main(void) {\n    return nothing;\n}\n",
    "app/undeclared.c": '#include "app/base.h"\nint main(void) { return 0; }\n',
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("cc"), shared, FILES)
    made.ask("lock")
    return made


def build(shop: Built, *words: str) -> subprocess.CompletedProcess[str]:
    return shop.attempt("build", *words)


def test_an_image_of_two_programs_has_what_they_need_and_no_compiler(shop: Built) -> None:
    shop.ask("build", "//app:image")
    (known,) = json.loads(shop.ask("inspect", "--json", "//app:image"))
    assert known["config"]["Entrypoint"] == ["/usr/local/bin/cxx"]
    assert set(known["report"]["debs"]) == {"gcc-14-base", "libc6", "libgcc-s1", "libstdc++6"}
    paths = {entry.path for layer in shop.layers("//app:image") for entry in layer}
    assert {"usr/local/bin/c", "usr/local/bin/cxx"} <= paths
    assert not [path for path in paths if path.endswith((".h", ".a", ".o")) or path.startswith("usr/lib/gcc")]
    assert not [path for path in paths if path.startswith("usr/bin/")]


@pytest.mark.runtime
def test_they_run(shop: Built) -> None:
    if not shutil.which("crun"):
        pytest.skip("crun is not installed")
    assert shop.ask("run", "--runtime", "crun", "//app:image") == "49\n"


def test_what_changes_is_compiled_and_no_more(shop: Built) -> None:
    shop.ask("build", "//app:cxx")
    file = shop.root / "app/base.c"
    new = os.urandom(8).hex()  # what no cache has
    file.write_text(file.read_text() + f"int more_{new};\n")
    assert " 3 run locally" in build(shop, "//app:cxx").stderr  # the file, its library, the program
    file.write_text(file.read_text() + f"/* {new} */\n")
    assert " 1 run locally" in build(shop, "//app:cxx").stderr  # the object is the same: nothing else
    header = shop.root / "app/base_private.h"
    header.write_text(f"#define OFFSET 0\n/* {new} */\n")
    assert " 1 run locally" in build(shop, "//app:cxx").stderr


def test_a_genrule_has_the_utilities_of_posix(shop: Built) -> None:
    shop.ask("build", "//app:posix")
    assert (shop.root / "distroless-out/app/posix.txt").read_text() == "APP/x.H\n./app/base.h\n"


def test_the_compilers_message_names_the_workspaces_file(shop: Built) -> None:
    done = build(shop, "//app:broken")
    assert done.returncode == 1
    assert "distroless: app/BUILD:14: cannot perform CcCompile for //app:broken: exit status 1\n" in done.stderr
    assert "app/broken.c:2:12: error: 'nothing' undeclared" in done.stderr.replace("\u2018", "'").replace("\u2019", "'")


def test_a_header_that_is_not_declared_is_not_there(shop: Built) -> None:
    done = build(shop, "//app:undeclared")
    assert done.returncode == 1
    assert "app/undeclared.c:1:10: fatal error: app/base.h: No such file or directory" in done.stderr


def test_programs_for_another_machine(shop: Built) -> None:
    machines = {"linux/amd64": 62, "linux/arm64": 183}  # EM_X86_64, EM_AARCH64; elf(5)
    for platform, machine in machines.items():
        shop.ask("build", "--platform", platform, "//app:cxx")
        header = (shop.root / "distroless-out/app/cxx").read_bytes()[:20]
        assert (header[:4], int.from_bytes(header[18:20], "little")) == (b"\x7fELF", machine)
