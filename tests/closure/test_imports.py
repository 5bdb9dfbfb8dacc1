"""The imports of Python sources: text in, what is imported and how surely out."""

from __future__ import annotations

import ast
import sysconfig
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.closure.imports import imports

CASES = {
    "one": ("import a", "always a"),
    "several": ("import a.b as c, d", "always a.b\nalways d"),
    "from": ("from a import b, c as d", "always a b,c"),
    "in brackets": ("from a import (  # why\n    b,\n    c,\n)", "always a b,c"),
    "all of it": ("from a import *", "always a *"),
    "of the own package": (
        "from . import a\nfrom .b import c\nfrom ..d.e import f\nfrom...g import h",
        "always . a\nalways .b c\nalways ..d.e f\nalways ...g h",
    ),
    "a module whose name begins like the statement": ("from . import importer", "always . importer"),
    "on one line": ("import a; import b", "always a\nalways b"),
    "over lines": ("import a, \\\n    b", "always a\nalways b"),
    "in a class": ("class A:\n    import a", "always a"),
    "in a function": ("def f():\n    import a\nimport b", "lazy a\nalways b"),
    "in a coroutine": ("async def f():\n    import a", "lazy a"),
    "in a function on one line": ("def f(): import a", "lazy a"),
    "caught": ("try:\n    import a\nexcept ImportError:\n    import b\nimport c", "maybe a\nmaybe b\nalways c"),
    "caught in a function": ("def f():\n    try:\n        import a\n    finally:\n        pass", "maybe a"),
    "under a condition": (
        "if x:\n    import a\nelif y:\n    import b\nelse:\n    import c",
        "maybe a\nmaybe b\nmaybe c",
    ),
    "on a condition's line": ("if x: import a", "maybe a"),
    "where the file is started": ('if __name__ == "__main__":\n    import a', "always a"),
    "for type checkers": ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", "maybe b"),
    "suppressed": ("with suppress(ImportError):\n    import a", "maybe a"),
    "with": ("with open(x):\n    import a", "always a"),
    "by a name": ("importlib.import_module('a.b')", "maybe a.b"),
    "in a string": ('x = "import a"\ny = """\nimport b\n"""\nz = r\'import c\\\'', ""),
    "in a comment": ("# import a", ""),
    "in a bracket": ("x = [\n    importer,\n    'import a',\n]", ""),
    "after a string with a quote": ("x = 'it\\'s'\nimport a", "always a"),
    "after a string in a string": ("x = f'{y[\"a\"]}'\nimport a", "always a"),
    "with a byte order mark": ("\ufeffimport a", "always a"),
    "with Windows' lines": ("import a\r\nif x:\r\n    import b\r\n", "always a\nmaybe b"),
    "with a name that is not ASCII": ("import größe", "always größe"),
    "after a block that is left": ("if x:\n    pass\nimport a", "always a"),
    "each once": ("import a\nimport a", "always a"),
    "a keyword as the beginning of a name": ("importer = 1\nfrom_ = 2\niffy = 3", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_imported(case: str) -> None:
    text, expected = CASES[case]
    lines = [f"{i.strength} {'.' * i.level}{i.module} {','.join(i.names)}".strip() for i in imports(text)]
    assert "\n".join(lines) == expected


def test_the_standard_library_as_the_compiler_reads_it() -> None:
    """Nothing that the compiler sees is missed, and nothing is added but what is named in a string."""
    checked = 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "test" in path.parts or "site-packages" in path.parts or "lib2to3" in path.parts:
            continue
        text = path.read_text("utf-8")
        wanted = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                wanted |= {(alias.name, 0) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                wanted.add((node.module or "", node.level))
        found = {(each.module, each.level) for each in imports(text)}
        if "TYPE_CHECKING" not in text:
            assert wanted <= found, path
        if "import_module" not in text and "__import__" not in text:
            assert found <= wanted, path
        checked += 1
    assert checked > 300


@given(st.text(alphabet=st.sampled_from(list("import from.a,b()\n\t \\\"'#:;fr")), max_size=200))
def test_any_text_is_read(text: str) -> None:
    for each in imports(f"import {textwrap.dedent(text)}"):
        assert each.module or each.level
