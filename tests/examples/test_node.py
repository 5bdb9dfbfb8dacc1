"""Node with packages from the registry: what is in the image, and what a wrong lock says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("node"), shared, {}, "typescript")
    made.ask("build", "//typescript:image")
    return made


def failure(shop: Built, target: str = "//typescript:image") -> str:
    done = shop.attempt("build", target)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_the_image_has_what_runs_and_nothing_that_compiles(shop: Built) -> None:
    (known,) = json.loads(shop.ask("inspect", "--json", "//typescript:image"))
    assert known["config"]["Entrypoint"] == ["/usr/bin/node", "/usr/local/lib/server/typescript/lib/server.js"]
    assert known["config"]["User"] == "65532"
    files = {entry.path for layer in shop.layers("//typescript:image") for entry in layer}
    mine = {path.removeprefix("usr/local/lib/server/") for path in files if path.startswith("usr/local/lib/server/")}
    assert {"typescript/lib/server.js", "typescript/lib/answer.js", "node_modules/ms/index.js"} <= mine
    assert not [path for path in mine if path.endswith(".ts") or "node_modules/typescript" in path or "@types" in path]
    assert not [path for path in files if path.endswith(("/npm", "/npx", "/sh"))]


def test_a_package_with_another_digest_is_refused_and_the_image_before_stays(shop: Built) -> None:
    before = (shop.root / "distroless-out/typescript/image/index.json").read_bytes()
    file = shop.root / "typescript/package-lock.json"
    text = file.read_text()
    file.write_text(re.sub(r'(node_modules/ms": \{[^}]*sha512-)....', r"\1AAAA", text))
    said = failure(shop)
    file.write_text(text)
    assert re.search(r"typescript/BUILD:(5|11): cannot fetch ms@2.1.3: its sha512 is", said)
    assert "and package-lock.json says 0000" in said
    assert "the archive is not the one that was locked" in said
    assert (shop.root / "distroless-out/typescript/image/index.json").read_bytes() == before


def test_a_manifest_that_the_lock_does_not_fit(shop: Built) -> None:
    file = shop.root / "typescript/package.json"
    text = file.read_text()
    file.write_text(text.replace('"ms": "2.1.3"', '"ms": "2.1.2"'))
    said = failure(shop)
    file.write_text(text)
    assert 'typescript/package-lock.json was made when "ms" in dependencies was "2.1.3"; it is "2.1.2"' in said


def test_an_error_of_the_compiler_is_shown_with_the_workspace_s_paths(shop: Built) -> None:
    file = shop.root / "typescript/src/answer.ts"
    text = file.read_text()
    file.write_text(text.replace("ms(Math", 'ms("x" - Math'))
    said = failure(shop)
    file.write_text(text)
    assert "\ntypescript/src/answer.ts(" in said
    assert "typescript/BUILD:24: cannot perform RunBinary for //typescript:compiled: exit status" in said
    assert "error TS2362: The left-hand side of an arithmetic operation" in said


def test_a_program_without_a_main_file(shop: Built) -> None:
    (shop.root / "odd").mkdir(exist_ok=True)
    (shop.root / "odd/BUILD").write_text(
        'load("@distroless_rules//rules:defs.bzl", "js_binary")\njs_binary(name = "x", srcs = ["a.js", "b.js"])\n'
    )
    for name in ("a.js", "b.js"):
        (shop.root / "odd" / name).write_text("")
    done = shop.attempt("build", "//odd:x")
    assert done.returncode == 2
    assert 'which file is it that runs? give main = "..."; there is no x.js in srcs' in done.stderr
