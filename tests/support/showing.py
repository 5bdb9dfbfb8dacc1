"""What a BUILD file gives, as text: built with the command line, then shown in the words that a case asks for.

    tree [FOLDER]     every path of //:image below a folder: mode, owner, path, text or target
    new               every path of //:image that an image of nothing has not, or has otherwise
    cat PATH          the text of a file of //:image
    config            how //:image is started, as far as it differs from what every image has
    all               all of the config, the config's own fields included
    annotations       of the manifest of //:image
    layers            what is in each layer of //:image, and its media type
    index             the platforms and annotations of //:index
    out PATH          the text of a file of the output folder
    report KEY        a part of the report of //:image

An error is shown instead if there is one: the exit status, and what is printed.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distroless_rules.oci import layer_reader, layout
from distroless_rules.oci.descriptor import Descriptor
from distroless_rules.oci.layout import Image
from distroless_rules.values.tree import Entry, Kind
from tests.support.archive import SmallArchive
from tests.support.command import Commands
from tests.support.debs import make_deb
from tests.support.workspace import files_in

__all__ = ["LOAD", "Showing"]

_DEFINITIONS = Path(__file__).parents[2] / "distroless_rules/rules/defs.bzl"
_RULES = re.findall(r"^([a-z]\w*) = ", _DEFINITIONS.read_text("utf-8"), re.MULTILINE)
LOAD = f'load("@distroless_rules//rules:defs.bzl", {", ".join(json.dumps(name) for name in _RULES)})\n'
POLICY = """load("@distroless_rules//rules:defs.bzl", "image_policy")
package(default_visibility = ["//visibility:public"])
image_policy(name = "shown", waive = {"*": "what is shown are the rules"})
toolchain(name = "policy", toolchain = ":shown", toolchain_type = "@distroless_rules//toolchains:policy")
"""
DEBS = (
    make_deb("usr/lib/os-release = ID=debian\\nVERSION_ID=13\\n\netc/os-release -> ../usr/lib/os-release",
             {"Package": "base-files", "Architecture": "all"}),
    make_deb("usr/share/base-passwd/passwd.master = root:*:0:0:root:/root:/bin/bash\\ndaemon:*:1:1::/:/bin/sh\\n\n"
             "usr/share/base-passwd/group.master = root:*:0:\\ndaemon:*:1:\\ntty:*:5:\\n", {"Package": "base-passwd"}),
    make_deb("usr/share/libc-bin/nsswitch.conf = passwd: files\\nhosts: files dns\\n", {"Package": "libc-bin"}),
    make_deb("0755 usr/bin/tool = program\\n\nusr/lib/libtool.so.1 -> libtool.so.1.2\nusr/lib/libtool.so.1.2 = code\n"
             "usr/share/doc/tool/copyright = free\\n\nusr/share/man/man1/tool.1 = manual\nusr/include/tool.h = header\n"
             "usr/share/locale/de/LC_MESSAGES/tool.mo = deutsch",
             {"Package": "tool", "Depends": "lib, debconf", "Installed-Size": "40"}),
    make_deb("usr/lib/lib.so.1 = library\\n\n0750 1:1 var/lib/lib/", {"Package": "lib", "Installed-Size": "90"}),
    make_deb("usr/bin/debconf = scripts", {"Package": "debconf"}),
    make_deb("usr/bin/odd = odd", {"Package": "odd"}, {"postinst": "#!/bin/sh\nodd-thing --now\n"}),
    make_deb("usr/share/zoneinfo/Europe/Berlin = TZif2\nusr/share/zoneinfo/Etc/UTC = TZif0", {"Package": "tzdata"}),
)  # fmt: skip


class Showing:
    """Workspaces built one after another, with one cache and one archive of small debs.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        archive = SmallArchive(folder / "archive")
        for deb in DEBS:
            archive.add(deb)
        archive.publish("trixie")
        self._usual: frozenset[str] = frozenset()
        # Small debs have no licences, and cases show what is right by the rules and not by the policy.
        self._settings = f'[workspace]\nname = "w"\ntoolchains = ["//policy"]\n\n{archive.table(uris=[archive.uri])}'

    def shown(self, title: str, text: str) -> str:
        """Build everything in a workspace, and show what the title asks for after its colon, ``;`` between words."""
        files = files_in(text)
        files["BUILD"] = LOAD + files.get("BUILD", "")
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            commands = Commands(Path(folder), {"distroless.toml": self._settings, "policy/BUILD": POLICY, **files})
            commands.cache = self._folder / "cache"
            ran = commands.run("build", "--platform=linux/amd64", "--define=x=1", "//...")
            if ran.status:
                lines = [line for line in ran.err.splitlines() if line.startswith("distroless: ")]
                return f"exit {ran.status}\n" + "".join(f"{line.removeprefix('distroless: ')}\n" for line in lines)
            out = commands.root / "distroless-out"
            wishes = [wish.split() for wish in title.partition(":")[2].split(";") if wish.strip()]
            if not wishes:
                return "no error\n"
            return "".join(f"{line}\n" for name, *rest in wishes for line in self._wish(name, out, *rest))

    def _wish(self, name: str, out: Path, *rest: str) -> Iterator[str]:
        return self._new(out) if name == "new" else _SHOW[name](out, *rest)

    def _new(self, out: Path) -> Iterator[str]:
        if not self._usual:
            self._usual = frozenset(self.shown(": tree", 'distroless_image(name = "image")\n').splitlines())
        return (line for line in _tree(out) if line not in self._usual)


def _paths(image: Image) -> dict[str, tuple[Entry, str]]:
    """Give the entries of all layers by path, with the text of files."""
    found: dict[str, tuple[Entry, str]] = {}
    for layer, diff_id in zip(image.manifest.layers, image.config.diff_ids, strict=True):
        data = b"".join(layer_reader.pieces(layout.blob(image.folder, layer.digest), layer, diff_id))
        for entry in layer_reader.entries(iter([data]), layer):
            text = data[entry.offset : entry.offset + entry.size] if entry.kind is Kind.FILE else b""
            found[entry.path] = (entry, text.decode())
    return dict(sorted(found.items()))


def _tree(out: Path, folder: str = "/") -> Iterator[str]:
    for path, (entry, text) in _paths(layout.read(out / "image")).items():
        if f"/{path}/".startswith(f"{folder.rstrip('/')}/"):
            shown = {Kind.DIRECTORY: "/", Kind.SYMLINK: f" -> {entry.target}", Kind.HARDLINK: f" => {entry.target}"}
            tail = shown.get(entry.kind, f" {json.dumps(text) if len(text) < 60 else f'({len(text)} bytes)'}")
            yield f"{entry.mode:04o} {entry.uid}:{entry.gid} /{path}{tail}"


def _cat(out: Path, path: str) -> Iterator[str]:
    yield from _paths(layout.read(out / "image"))[path.removeprefix("/")][1].splitlines()


def _document(out: Path, name: str = "image") -> tuple[dict[str, Any], dict[str, Any]]:
    image = layout.read(out / name)
    manifest = json.loads(layout.blob(image.folder, image.descriptor.digest).read_bytes())
    config = json.loads(layout.blob(image.folder, image.manifest.config.digest).read_bytes())
    return manifest, config


_USUAL = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "User": "65532",
    "WorkingDir": "/",
}


def _config(out: Path) -> Iterator[str]:
    config = _document(out)[1]["config"]
    yield from (f"{key} {json.dumps(value)}" for key, value in sorted(config.items()) if _USUAL.get(key) != value)


def _all(out: Path) -> Iterator[str]:
    config = _document(out)[1]
    config["rootfs"] = config["rootfs"]["type"]
    inner = config.pop("config")
    yield from (f"{key} {json.dumps(value)}" for key, value in sorted(config.items()))
    yield from (f"config.{key} {json.dumps(value)}" for key, value in sorted(inner.items()))


def _annotations(out: Path) -> Iterator[str]:
    yield json.dumps(_document(out)[0].get("annotations"), sort_keys=True)


def _layers(out: Path) -> Iterator[str]:
    manifest, config = _document(out)
    for layer, history in zip(manifest["layers"], config["history"], strict=True):
        yield f"{layer['mediaType'].removeprefix('application/vnd.oci.image.layer.v1.')} {history['created_by']}"


def _index(out: Path) -> Iterator[str]:
    descriptor: Descriptor = layout.root(out / "index")
    document = json.loads(layout.blob(out / "index", descriptor.digest).read_bytes())
    yield f"annotations {json.dumps(document.get('annotations'), sort_keys=True)}"
    for each in document["manifests"]:
        yield json.dumps(each["platform"], sort_keys=True)


def _out(out: Path, path: str) -> Iterator[str]:
    yield json.dumps((out / path).read_text())


def _report(out: Path, key: str) -> Iterator[str]:
    yield json.dumps(json.loads((out / "image.report.json").read_bytes())[key], sort_keys=True)


_SHOW: dict[str, Callable[..., Iterator[str]]] = {
    "tree": _tree,
    "cat": _cat,
    "config": _config,
    "all": _all,
    "annotations": _annotations,
    "layers": _layers,
    "index": _index,
    "out": _out,
    "report": _report,
}
