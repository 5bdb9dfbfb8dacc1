"""docs/query.md does what it says: its files make a workspace, its commands are run in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.command import Commands

_GUIDE = (Path(__file__).parents[2] / "docs" / "query.md").read_text()
_FILE = re.compile(r"^\*\*(\S+)\*\*\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"^\$ distroless (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_EXAMPLES = [example for block in _CONSOLE.findall(_GUIDE) for example in _RUN.findall(block)]


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("guide"), {**dict(_FILE.findall(_GUIDE)), "app/main.py": "print(1)\n"})


@pytest.mark.parametrize(("words", "printed"), _EXAMPLES)
def test_examples(commands: Commands, words: str, printed: str) -> None:
    ran = commands.run(*shlex.split(words))
    assert ran.out + ran.err == printed
    assert ran.status == (2 if printed.startswith("distroless: ") else 0)


def test_every_command_of_the_guide_is_an_example() -> None:
    assert len(_EXAMPLES) == _GUIDE.count("\n$ ") == 10
    assert len(_FILE.findall(_GUIDE)) == _GUIDE.count("```python\n") == 3
