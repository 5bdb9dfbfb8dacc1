"""A layer of three files, made by the real tools: a source file and written text, filled in, packed.

What the layer must hold is known without the tools, so that a build's outcome can be checked for itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping
from pathlib import Path

from distroless_rules.actions.action import Action
from distroless_rules.oci.compressor import recipe
from distroless_rules.tools.registry import Registry
from distroless_rules.values import tree
from distroless_rules.values.tree import Entry, Kind
from tests.support.workshop import Build, Workshop, action, out, source

__all__ = ["ACTIONS", "LAYER", "check_layer", "layer_workshop"]

_SIZE = 200_000  # bytes of each file: more than is gathered before a write
LAYER = (out("layer", "blob"), out("layer", "descriptor"))


def _text(seed: int) -> str:
    return random.Random(seed).randbytes(_SIZE // 2).hex()


_TEMPLATE = _text(1) + " @name@\n"
_FILES: Mapping[str, str] = {
    "filled": _TEMPLATE.replace("@name@", "first"),
    "twice": _TEMPLATE.replace("@name@", "second").replace("a", "A"),
    "written": _text(2),
}


def _recipe() -> str:
    rows = []
    for name, text in _FILES.items():
        digest = hashlib.sha256(text.encode()).hexdigest()
        rows.append(Entry(name, Kind.FILE, 0o644, size=len(text), sha256=digest, source=digest))
    return tree.dump(rows).decode()


def _fill(owner: str, template: str, **substitutions: str) -> Action:
    inputs = {"template": out(template) if template != "template.txt" else source(template)}
    return action(owner, "ExpandTemplate", inputs, parameters={"substitutions": substitutions})


ACTIONS = (
    action("written", "WriteFile", parameters={"content": _FILES["written"]}),
    _fill("filled", "template.txt", **{"@name@": "first"}),
    _fill("once", "template.txt", **{"@name@": "second"}),
    _fill("twice", "once", a="A"),
    action("recipe", "WriteFile", parameters={"content": _recipe()}),
    action(
        "layer",
        "Layer",
        {"recipe": out("recipe"), **{f"blob/{at}": out(name) for at, name in enumerate(_FILES)}},
        ("blob", "descriptor"),
        {"compression": "gzip", "compressor": recipe("gzip"), "epoch": 0},
    ),
)


def layer_workshop(folder: Path) -> Workshop:
    """Give a workshop that can build ``LAYER`` from ``ACTIONS``; its tools' modules are imported."""
    tools = Registry()
    shop = Workshop(folder, {each.mnemonic: tools[each.mnemonic] for each in ACTIONS})
    shop.write("template.txt", _TEMPLATE.encode())
    return shop


def check_layer(shop: Workshop, built: Build) -> None:
    """See that a build gave the layer."""
    assert built.errors == []
    blob = shop.read(built, LAYER[0])
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as tar:
        held = {member.name: file.read().decode() for member in tar if (file := tar.extractfile(member))}
    assert held == _FILES
    assert json.loads(shop.read(built, LAYER[1]))["digest"] == f"sha256:{hashlib.sha256(blob).hexdigest()}"
