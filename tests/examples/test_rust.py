"""Rust from source: crates, procedural macros, cargo without network, other machines, errors."""

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
load("@distroless_rules//rules:defs.bzl", "distroless_image", "rust_binary", "rust_library", "rust_proc_macro")
rust_library(name = "base-words", srcs = ["base.rs"], crate_features = ["loud"])
rust_library(name = "words", srcs = ["words/lib.rs", "words/more.rs"], deps = [":base-words"])
rust_proc_macro(name = "made", srcs = ["made.rs"])
rust_binary(
    name = "app",
    srcs = ["app.rs"],
    deps = [":words"],
    proc_macro_deps = [":made"],
    rustc_env = {"VERSION": "1.2"},
)
rust_binary(name = "broken", srcs = ["broken.rs"], deps = [":words"])
distroless_image(name = "image", binary = ":app")
""",
    "app/base.rs": '#[cfg(feature = "loud")]\npub fn word() -> &\'static str { "LOUD" }\n',
    "app/words/lib.rs": 'mod more;\npub fn words() -> String { format!("{} {}", base_words::word(), more::more()) }\n',
    "app/words/more.rs": 'pub fn more() -> &\'static str { "more" }\n',
    "app/made.rs": "extern crate proc_macro;\n#[proc_macro]\n"
    'pub fn number(_: proc_macro::TokenStream) -> proc_macro::TokenStream { "42".parse().unwrap() }\n',
    "app/app.rs": 'fn main() { println!("{} {} {}", words::words(), made::number!(), env!("VERSION")); }\n',
    "app/broken.rs": "fn main() {\n    let number: i32 = words::words();\n}\n",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("rust"), shared, FILES, "rust")
    made.ask("lock")
    return made


def test_an_image_has_the_program_and_no_compiler(shop: Built) -> None:
    shop.ask("build", "//app:image", "//app:app")
    done = subprocess.run([shop.root / "distroless-out/app/app"], capture_output=True, text=True, check=True)
    assert done.stdout == "LOUD more 42 1.2\n"
    (known,) = json.loads(shop.ask("inspect", "--json", "//app:image"))
    assert set(known["report"]["debs"]) == {"gcc-14-base", "libc6", "libgcc-s1"}
    paths = {entry.path for layer in shop.layers("//app:image") for entry in layer}
    assert "usr/local/bin/app" in paths
    assert not [path for path in paths if path.endswith((".rlib", ".rs")) or "rustlib" in path]


@pytest.mark.parametrize("target", ["//app:app", "//rust:server", "//rust:by_cargo"])
@pytest.mark.parametrize(("platform", "machine"), [("linux/amd64", 62), ("linux/arm64", 183)])  # elf(5)
def test_programs_for_both_machines(shop: Built, target: str, platform: str, machine: int) -> None:
    shop.ask("build", "--platform", platform, target)
    header = (shop.root / "distroless-out" / target.removeprefix("//").replace(":", "/")).read_bytes()[:20]
    assert (header[:4], int.from_bytes(header[18:20], "little")) == (b"\x7fELF", machine)


def test_one_changed_file_compiles_what_uses_it(shop: Built) -> None:
    shop.ask("build", "//app:app")
    file = shop.root / "app/words/more.rs"
    file.write_text(FILES["app/words/more.rs"].replace('more"', f'more {os.urandom(8).hex()}"'))
    done = subprocess.run(
        shop.command("build", "//app:app"), cwd=shop.root, env=shop.env, capture_output=True, text=True, check=True
    )
    file.write_text(FILES["app/words/more.rs"])
    assert " 2 run locally" in done.stderr  # the crate, and the program


def test_the_compilers_message_names_the_workspaces_file(shop: Built) -> None:
    done = shop.attempt("build", "//app:broken")
    assert done.returncode == 1
    assert "app/BUILD:13: cannot perform Rustc for //app:broken: exit status 1" in done.stderr
    assert " --> app/broken.rs:2:23" in done.stderr
