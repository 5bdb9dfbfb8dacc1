"""Every tool by its mnemonic; a tool's module is imported when an action first asks for it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from distroless_rules.tools.tool import Tool

__all__ = ["MNEMONICS", "Registry"]

_MODULES = {
    "BuildRoot": "build_root",
    "Compose": "compose",
    "DebUnpack": "deb_unpack",
    "ExpandTemplate": "expand_template",
    "Image": "image",
    "ImageIndex": "image_index",
    "ImageTest": "image_test",
    "Layer": "layer",
    "NodeModules": "node_modules",
    "Wheels": "wheels",
    "WriteFile": "write_file",
}
MNEMONICS = frozenset(_MODULES)


class Registry(Mapping[str, Tool]):
    """The tools, as a mapping from mnemonic to tool."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def __getitem__(self, mnemonic: str) -> Tool:
        tool = self._tools.get(mnemonic)
        if tool is None:
            module = importlib.import_module(f"distroless_rules.tools.{_MODULES[mnemonic]}")
            tool = self._tools[mnemonic] = module.TOOL
        return tool

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)
