"""Paths followed through links: a table of links in, where a path leads out; circles, and chains of any length, end."""

from __future__ import annotations

import pytest

from distroless_rules.closure.view import View
from distroless_rules.values.tree import Entry, Kind

FILES = {
    "usr/lib/a.so.1": "",
    "usr/lib/a.so": "a.so.1",
    "lib": "usr/lib",
    "lib64": "/lib",
    "absolute": "/usr/lib/a.so",
    "above": "../../usr/lib/../lib",
    "nowhere": "gone",
    "itself": "itself",
    "one": "two",
    "two": "/one",
    "first": "second/x",
    "second": "third",
    "third": "first",
    "below": "below/lib",
    "out": "one/../usr",
    "usr/file": "lib/a.so/x",
    "empty": "./",
    "long": "/".join(["usr/.."] * 900),
}
LEADS = {
    "usr/lib/a.so": "usr/lib/a.so.1",
    "/lib64/a.so": "usr/lib/a.so.1",
    "absolute": "usr/lib/a.so.1",
    "above/a.so": "usr/lib/a.so.1",
    "lib/../lib/./a.so": "usr/lib/a.so.1",
    "lib64/..": "usr",
    "empty": "",
    "nowhere": None,
    "itself": None,
    "itself/x": None,
    "one": None,
    "two": None,
    "first": None,
    "second": None,
    "third/x": None,
    "below": None,
    "out/lib": None,
    "usr/file": None,
    "long": None,
}


@pytest.mark.parametrize("path", LEADS)
def test_where_a_path_leads(path: str) -> None:
    assert view(FILES).real(path) == LEADS[path]


def test_what_is_in_a_circle_is_so_whatever_was_asked_before() -> None:
    for paths in (list(LEADS), list(reversed(LEADS))):
        tree = view(FILES)
        assert {path: tree.real(path) for path in paths} == LEADS


@pytest.mark.parametrize(("links", "end"), [(40, "end"), (41, None)])
def test_as_many_links_as_linux_follows(links: int, end: str | None) -> None:
    chain = {f"l{at}": f"l{at + 1}" for at in range(links - 1)} | {f"l{links - 1}": "end", "end": ""}
    assert view(chain).real("l0") == end


def view(files: dict[str, str]) -> View:
    """Give files and, of those with a text, links."""
    made = (Entry.symlink(path, to) if to else Entry(path, Kind.FILE, 0o644) for path, to in files.items())
    return View({entry.path: entry for entry in made}, {})
