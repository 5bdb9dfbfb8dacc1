"""Every tool by its mnemonic; a tool's module is imported when an action must be performed.

Versions are here too, so that a build in which all is cached imports none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType

from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["MNEMONICS", "Registry"]

_TOOLS = {
    "BuildRoot": ("build_root", "3"),
    "Checksums": ("checksums", "1"),
    "Compose": ("compose", "23"),
    "DebUnpack": ("deb_unpack", "1"),
    "ExpandTemplate": ("expand_template", "1"),
    "Facts": ("facts", "3"),
    "Findings": ("findings", "5"),
    "Image": ("image", "1"),
    "ImageIndex": ("image_index", "1"),
    "ImageTest": ("image_test", "1"),
    "Layer": ("layer", "1"),
    "Mentions": ("mentions", "3"),
    "NodeModules": ("node_modules", "1"),
    "Policy": ("policy", "3"),
    "Sbom": ("sbom", "4"),
    "Screen": ("screen", "2"),
    "Unreached": ("unreached", "4"),
    "Wheels": ("wheels", "1"),
    "WriteFile": ("write_file", "1"),
}
"""The module of each tool, and the version that it has there."""

MNEMONICS = frozenset(_TOOLS)


class Registry(Mapping[str, Tool]):
    """The tools, as a mapping from mnemonic to tool."""

    def __getitem__(self, mnemonic: str) -> Tool:
        name, version = _TOOLS[mnemonic]

        def module() -> ModuleType:
            return importlib.import_module(f"distroless_rules.tools.{name}")

        def perform(bench: Workbench) -> None:
            module().TOOL.perform(bench)

        return Tool(mnemonic, version, perform, module)

    def __iter__(self) -> Iterator[str]:
        return iter(_TOOLS)

    def __len__(self) -> int:
        return len(_TOOLS)
