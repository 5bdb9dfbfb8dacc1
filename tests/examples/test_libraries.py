"""Libraries that come by themselves: programs linked among debs of the build stage in, what their images hold out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.built import Built, workspace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]
BUILD = """
load("@distroless_rules//rules:defs.bzl", "build_root", "cc_binary", "distroless_image", "files", "genrule")

cc_binary(name = "server", srcs = ["server.c"], deps = ["@trixie//libssl-dev"], linkopts = ["-lssl", "-lcrypto"])

distroless_image(
    name = "image",
    contents = [":server", "@trixie//ca-certificates"],
    entrypoint = ["/usr/local/bin/server"],
)

distroless_image(name = "named", binary = ":server", contents = ["@trixie//ca-certificates", "@trixie//libssl3t64"])

distroless_image(name = "small", binary = ":server", closure = "files")

distroless_image(name = "without", binary = ":server", exclude = ["libssl3t64"])

distroless_image(
    name = "waived",
    allow_missing = ["lib*.so.3"],
    binary = ":server",
    exclude = ["libssl3t64", "zlib11g"],
)

build_root(name = "root", debs = ["@trixie//dash", "@trixie//gcc", "@trixie//libc6-dev", "@trixie//zlib1g-dev"])

genrule(name = "made", srcs = ["made.c"], outs = ["made"], cmd = "gcc -Wl,-z,relro,-z,now -o $@ $< -lz", root = ":root")

files(name = "placed", srcs = {"/opt/made": ":made"}, mode = "0755")

distroless_image(name = "generated", contents = [":placed"], entrypoint = ["/opt/made"])

genrule(name = "text", outs = ["text.txt"], cmd = "echo text > $@", root = ":root")

files(name = "words", srcs = {"/opt/text": ":text"})

distroless_image(name = "nothing", contents = [":words"])
"""
FILES = {
    "app/BUILD": BUILD,
    "app/server.c": "#include <openssl/ssl.h>\n#include <stdio.h>\n"
    "int main(void) { return SSL_CTX_new(TLS_server_method()) ? puts(OpenSSL_version(0)) < 0 : 1; }\n",
    "app/made.c": "#include <stdio.h>\n#include <zlib.h>\nint main(void) { return puts(zlibVersion()) < 0; }\n",
}
CLOSURE = {"libssl3t64", "libzstd1", "openssl-provider-legacy", "zlib1g"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Built:
    made = workspace(tmp_path_factory.mktemp("libraries"), shared, FILES)
    made.ask("build", "--platform=linux/amd64", *(f"//app:{name}" for name in BUILT))
    return made


BUILT = {
    "image": {"ca-certificates", "gcc-14-base", "libc6", "libgcc-s1"} | CLOSURE,
    "named": {"ca-certificates", "gcc-14-base", "libc6", "libgcc-s1"} | CLOSURE,
    "small": {"gcc-14-base", "libc6", "libgcc-s1"} | CLOSURE,
    "waived": {"gcc-14-base", "libc6", "libgcc-s1"},
    "generated": {"gcc-14-base", "libc6", "libgcc-s1", "zlib1g"},
    "nothing": set(),
}


def report(shop: Built, name: str) -> dict[str, dict[str, dict[str, object]]]:
    (known,) = json.loads(shop.ask("inspect", "--json", f"//app:{name}"))
    return dict(known["report"])


@pytest.mark.parametrize("name", BUILT)
def test_an_image_has_the_debs_of_the_libraries_and_no_more(shop: Built, name: str) -> None:
    assert set(report(shop, name)["debs"]) == BUILT[name]
    paths = {entry.path for layer in shop.layers(f"//app:{name}") for entry in layer}
    assert not [path for path in paths if path.endswith((".h", ".a", ".pc", ".o")) or path.startswith("usr/include")]
    assert {path.rpartition("/")[2] for path in paths if path.startswith("var/lib/dpkg/status.d/")} - {""} == {
        file for deb in BUILT[name] for file in (deb, f"{deb}.md5sums")
    }


def test_what_was_taken_and_why_is_in_the_report(shop: Built) -> None:
    taken = report(shop, "image")["libraries"]
    assert set(taken) == CLOSURE
    wanted = [["/usr/local/bin/server", "libcrypto.so.3"], ["/usr/local/bin/server", "libssl.so.3"]]
    assert taken["libssl3t64"] == {"by": "", "needed": wanted}
    assert taken["zlib1g"] == {"by": "libssl3t64", "needed": []}
    assert report(shop, "named")["libraries"] == {}
    assert "for libcrypto.so.3 and libssl.so.3" in shop.ask("inspect", "//app:image")


def test_files_that_nothing_reaches_stay_out(shop: Built) -> None:
    paths = {entry.path for layer in shop.layers("//app:small") for entry in layer}
    assert "usr/lib/x86_64-linux-gnu/libssl.so.3" in paths
    assert "usr/lib/x86_64-linux-gnu/libthread_db.so.1" not in paths


@pytest.mark.runtime
@pytest.mark.parametrize(("name", "said"), [("image", "OpenSSL 3."), ("small", "OpenSSL 3."), ("generated", "1.")])
def test_they_run(shop: Built, name: str, said: str) -> None:
    if not shutil.which("crun"):
        pytest.skip("crun is not installed")
    assert shop.ask("run", "--runtime", "crun", f"//app:{name}").startswith(said)


def test_what_is_excluded_is_not_taken(shop: Built) -> None:
    ran = shop.attempt("build", "--platform=linux/amd64", "//app:without")
    assert ran.returncode == 1
    assert '"/usr/local/bin/server" of //app:server needs the library "libcrypto.so.3", and the image has none' in (
        ran.stderr
    )


def test_what_is_excluded_in_vain_is_said(shop: Built) -> None:
    ran = shop.attempt("build", "--platform=linux/amd64", "//app:waived")
    assert ran.returncode == 0, ran.stderr
    (said,) = [line.partition(": warning: ")[2] for line in ran.stderr.splitlines() if ": warning: " in line]
    assert said == 'exclude: "zlib11g" is no deb that one of the image needs; did you mean "zlib1g"?'


CHAINS = {
    "libssl3t64": ["//app:image", "//app:server", "/usr/local/bin/server", "libssl.so.3", "@trixie//libssl3t64"],
    "/usr/lib/x86_64-linux-gnu/libssl.so.3": [
        "//app:image",
        "//app:server",
        "/usr/local/bin/server",
        "libssl.so.3",
        "@trixie//libssl3t64",
        "/usr/lib/x86_64-linux-gnu/libssl.so.3",
    ],
    "zlib1g": [
        "//app:image",
        "//app:server",
        "/usr/local/bin/server",
        "libssl.so.3",
        "@trixie//libssl3t64",
        "@trixie//zlib1g",
    ],
}


@pytest.mark.parametrize("what", CHAINS)
def test_why_leads_through_the_library_that_is_needed(shop: Built, what: str) -> None:
    chain = json.loads(shop.ask("why", "--json", "//app:image", what))["chain"]
    assert [link["name"] for link in chain] == CHAINS[what]


def test_a_plan_says_that_libraries_cross(shop: Built) -> None:
    plan = shop.ask("plan", "//app:image")
    assert "libraries that files need" in plan
    runtime = json.loads(shop.ask("plan", "--json", "//app:image"))["runtime"]
    unpacked = {action["owner"] for action in runtime if action["mnemonic"] == "DebUnpack"}
    assert "@trixie//gcc-14" not in unpacked
    assert "@trixie//ca-certificates" in unpacked
