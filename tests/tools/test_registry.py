"""The registry of tools: what it says without importing a tool is what the tool says."""

from __future__ import annotations

import importlib

import pytest

from distroless_rules.tools import registry
from distroless_rules.tools.registry import MNEMONICS, Registry


@pytest.mark.parametrize("mnemonic", sorted(MNEMONICS))
def test_what_is_said_of_a_tool_is_true(mnemonic: str) -> None:
    module = importlib.import_module(f"distroless_rules.tools.{registry._TOOLS[mnemonic][0]}")
    said = Registry()[mnemonic]
    assert (said.mnemonic, said.version) == (module.TOOL.mnemonic, module.TOOL.version)
    assert module.TOOL.mnemonic == mnemonic
