"""What labels mean: rules, files, generated files, debs, and the hint when they mean nothing."""

from __future__ import annotations

import pytest

from distroless_rules.loading.loader import Loader
from distroless_rules.targets.resolve import Resolver
from distroless_rules.values.archive import Archive
from distroless_rules.values.label import Label
from tests.support.workspace import fails, loaded

WORKSPACE = """
load("@distroless_rules//rules:defs.bzl", "write_file")
filegroup(name = "rule")
filegroup(name = "both.txt")
write_file(name = "gen", out = "gen.txt")
-- a.txt --
-- both.txt --
-- folder/b.txt --
-- pack/BUILD --
-- pack/c.txt --
-- pack/in/d.txt --
"""
ARCHIVES = {"trixie": Archive("trixie", ("trixie",))}


def kind(text: str) -> str:
    def use(loader: Loader) -> str:
        found, declared = Resolver(loader, ARCHIVES).find(Label.parse(text))
        return f"{found.value} {declared.label if declared else ''}".strip()

    return str(loaded(WORKSPACE, use))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("//:rule", "rule //:rule"),
        ("//:a.txt", "source file"),
        ("//:both.txt", "rule //:both.txt"),
        ("//:gen.txt", "generated file //:gen"),
        ("//:folder/b.txt", "source file"),
        ("//pack:c.txt", "source file"),
        ("//pack:in/d.txt", "source file"),
        ("//:BUILD", "source file"),
        ("@trixie//anything", "deb"),
        ("@distroless_rules//loading:prelude.bzl", None),
    ],
)
def test_find(text: str, found: str | None) -> None:
    if found is None:
        assert (
            fails(lambda: kind(text))
            == 'cannot resolve "@distroless_rules//loading:prelude.bzl": there is no file loading/BUILD'
        )
    else:
        assert kind(text) == found


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("//:folder", "no such target or file"),
        ("//:rul", 'no such target or file; did you mean "//:rule"?'),
        ("//:a.tx", 'no such target or file; did you mean "//:a.txt"?'),
        ("//pack:cc.txt", 'no such target or file; did you mean "//pack:c.txt"?'),
        ("//:gen.tx", 'no such target or file; did you mean "//:gen.txt"?'),
        ("//:pack/c.txt", '"//pack" is a package of its own; did you mean "//pack:c.txt"?'),
        ("//:pack/in/d.txt", '"//pack" is a package of its own; did you mean "//pack:in/d.txt"?'),
        ("//folder:b.txt", 'there is no file folder/BUILD; did you mean "//:folder/b.txt"?'),
        ("//pack/in:d.txt", 'there is no file pack/in/BUILD; did you mean "//pack:in/d.txt"?'),
        ("//pakc:x", 'there is no file pakc/BUILD; did you mean "//pack"?'),
        ("@trixi//curl", 'there is no archive "trixi"; did you mean "trixie"?'),
        ("@zzz//curl", 'there is no archive "zzz"; declare [archive.zzz] in distroless.toml'),
    ],
)
def test_what_is_not_there(text: str, error: str) -> None:
    assert fails(lambda: kind(text)) == f'cannot resolve "{Label.parse(text)}": {error}'
