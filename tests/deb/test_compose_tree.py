"""What holds of every composed tree, whatever debs bring; and the tree's own answers.

Random debs go in. Beside each image a reading of it as a kernel would do it, link by link, says what a program finds
at the paths that the debs have.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from distroless_rules.deb.compose_tree import Claim, Tree
from distroless_rules.errors import AnalysisError, DistrolessError, FormatError
from distroless_rules.values.path import parents, sort_key
from distroless_rules.values.tree import Entry, Kind
from tests.support.composing import Composed, composed

_REFUSED = re.compile(
    r'cannot compose "/\S+": deb "\w" says .* and deb "\w" says .*; leave one out, .*'
    r'|cannot compose "/\S+" of deb "\w": "/\S+" of deb "\w" is no folder; leave one out, .*'
    r'|cannot compose "/usr/(\S+)": deb "\w" has "/\1" too, which merged /usr makes the same path'
    r'|cannot compose "/\S+": its links go round in circles'
)

names = st.sampled_from("ab")
paths = st.builds("/".join, st.lists(names, min_size=1, max_size=3)).flatmap(
    lambda path: st.sampled_from([f"{top}/{path}" for top in ("opt", "srv", "bin", "usr/bin")])
)
targets = st.one_of(
    paths.map("/{}".format),
    st.builds("/".join, st.lists(st.sampled_from(["a", "b", ".."]), min_size=1, max_size=3)),
)
things = st.one_of(
    st.sampled_from(["= x", "= y", "0640 0:7 = x"]),
    st.sampled_from(["/", "/", "0700 /"]),
    targets.map("-> {}".format),
    st.just("=>"),
)
debs = st.lists(st.dictionaries(paths, things, min_size=1, max_size=6), min_size=1, max_size=3)


def deb_listing(wanted: Mapping[str, str]) -> dict[str, str]:
    """Give path -> line of what one deb can hold of what is wanted: no path beneath what is no folder."""
    lines: dict[str, str] = {}
    for path, thing in sorted(wanted.items()):
        mode, _, what = thing.rpartition(" ") if thing[0] == "0" else ("", "", thing)
        if thing.startswith("0640"):
            mode, what = "0640 0:7", "= x"
        if any(parent in lines and not lines[parent].endswith("/") for parent in parents(path)):
            continue
        if what == "=>":
            files = [other for other, line in lines.items() if " = " in line]
            what = f"=> {files[-1]}" if files else "= z"
        lines[path] = f"{mode} {path}{'' if what == '/' else ' '}{what}".strip()
    return lines


def image_of(listings: Iterable[Mapping[str, str]], folder: Path, **parameters: Any) -> Composed:
    given = {name: "\n".join(lines.values()) for name, lines in zip("pqr", listings, strict=False)}
    return composed(folder, given, **parameters)


def found(entries: Mapping[str, Entry], path: str) -> Entry | None:
    """Give what a kernel finds at a path, path_resolution(7); the last link is not followed."""
    at: list[str] = []
    todo = path.split("/")[::-1]
    for _ in range(1000):
        if not todo:
            return entries.get("/".join(at))
        part = todo.pop()
        if part == "..":
            at = at[:-1]
        elif part:
            entry = entries.get("/".join([*at, part]))
            if entry is not None and entry.kind is Kind.SYMLINK and todo:
                at = [] if entry.target.startswith("/") else at
                todo += entry.target.split("/")[::-1]
            else:
                at = [*at, part]
    return None


def check_layers(made: Composed) -> dict[str, Entry]:
    """See what must hold of the layers of every image; give its entries by path."""
    entries: dict[str, Entry] = {}
    for rows in made.layers.values():
        here: dict[str, Entry] = {}
        assert [row.path for row in rows] == sorted({row.path for row in rows}, key=sort_key)
        for row in rows:
            for parent in parents(row.path):
                assert here[parent].kind is Kind.DIRECTORY
            if row.kind is Kind.HARDLINK:
                file = here[row.target]
                assert (file.kind, file.mode, file.uid, file.gid) == (Kind.FILE, row.mode, row.uid, row.gid)
            if row.path in entries:
                assert row == entries[row.path]
                assert row.kind is Kind.DIRECTORY
            here[row.path] = entries[row.path] = row
    return entries


def check_debs(made: Composed, listings: Iterable[Mapping[str, str]], entries: Mapping[str, Entry]) -> None:
    """See that every path of every deb is there, with what that deb has."""
    for lines in listings:
        for path, line in lines.items():
            entry = found(entries, path)
            if line.endswith("/"):
                assert entry is None or entry.kind in (Kind.DIRECTORY, Kind.SYMLINK)
                continue
            assert entry is not None, path
            if " -> " in line:
                assert (entry.kind, entry.target) == (Kind.SYMLINK, line.partition(" -> ")[2])
                continue
            file = entries[entry.target] if entry.kind is Kind.HARDLINK else entry
            text = lines[line.partition(" => ")[2]] if " => " in line else line
            assert made.bytes(file).decode() == text.partition(" = ")[2]
            assert entry.mode == (0o640 if text.startswith("0640") else 0o644)


@settings(max_examples=150)
@example([{"opt/a": "-> /srv/a/b", "opt/b": "-> a/../../c"}, {"opt/b/a": "= x"}])
@given(debs)
def test_every_image(wanted: list[dict[str, str]]) -> None:
    listings = [deb_listing(each) for each in wanted]
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = image_of(listings, Path(folder))
            together = image_of(listings, Path(folder), layers=[list("pqr"[len(listings) - 1 :: -1])])
        except DistrolessError as error:
            refusal = str(error)
        else:
            refusal = ""
    event("refused" if refusal else "composed")
    if refusal:
        assert _REFUSED.fullmatch(refusal), refusal
        return
    entries = check_layers(made)
    check_debs(made, listings, entries)
    assert check_layers(together).keys() == entries.keys()


def tree_of(*lines: str) -> Tree:
    """Give a tree of links (``a -> b``), folders (``a/``) and files."""
    tree = Tree()
    for line in lines:
        path, _, target = line.partition(" -> ")
        entry = Entry.symlink(path, target) if target else Entry(path.rstrip("/"), Kind.FILE, 0o644)
        tree.add(claim(Entry.directory(path[:-1]) if path.endswith("/") else entry))
    return tree


def claim(entry: Entry, origin: str = "test", rank: str = "deb") -> Claim:
    return Claim(entry, origin, rank, "0")


@pytest.mark.parametrize(
    ("lines", "path", "place", "found"),
    [
        ("a", "a", "a", "a"),
        ("a/", "a/b", "a/b", None),
        ("l -> a|a/|a/b", "l/b", "a/b", "a/b"),
        ("l -> a|a/|a/b", "l", "l", "a"),
        ("l -> /a/b|a/b/m -> ../c|a/c/x", "l/m/x", "a/c/x", "a/c/x"),
        ("l -> ../../..|x", "l/x", "x", "x"),
        ("l -> .|x", "l/l/l/x", "x", "x"),
        ("l -> /|x", "l/x", "x", "x"),
        ("l -> /a/b|m -> l/../c|a/c/x", "m/x", "a/c/x", "a/c/x"),
        ("a/b/l -> ../../c|c/x", "a/b/l/x", "c/x", "c/x"),
        ("l -> gone", "l/x", "gone/x", None),
        ("l -> l", "l", "l", None),
        ("l -> m|m -> l", "m", "m", None),
        ("a/b -> /a", "a/b/b/b/x", "a/x", None),
        ("l0 -> l1|l1 -> l2|l2 -> x|x", "l0", "l0", "x"),
    ],
)
def test_where_a_path_lies_and_what_is_found_there(lines: str, path: str, place: str, found: str | None) -> None:
    tree = tree_of(*lines.split("|"))
    assert tree.place(path) == place
    entry = tree.follow(path)
    assert (entry.path if entry else None) == found


@pytest.mark.parametrize(("links", "ends"), [(40, True), (41, False)])
def test_how_many_links_are_followed(links: int, ends: bool) -> None:
    tree = tree_of("l0/", *(f"l{number + 1} -> l{number}" for number in range(links)))
    assert (tree.follow(f"l{links}") is not None) == ends
    if not ends:
        with pytest.raises(FormatError, match=f'^cannot compose "/l{links}": its links go round in circles$'):
            tree.add(claim(Entry.directory(f"l{links}/x")))


def test_links_that_come_and_go() -> None:
    tree = tree_of("l -> a", "l/x")
    assert [each.entry.path for each in tree] == ["a/x", "l"]
    tree.remove("l")
    tree.add(claim(Entry.directory("l/y")))
    tree.remove("nothing")
    assert [each.entry.path for each in tree] == ["a/x", "l/y"]
    tree.replace(claim(Entry.symlink("l", "b")))
    tree.add(claim(Entry.directory("l/z")))
    assert [each.entry.path for each in tree] == ["a/x", "b/z", "l", "l/y"]
    assert ("l" in tree, "b" in tree) == (True, False)
    assert [entry.path for entry in tree.below("l")] == ["l/y"]


@pytest.mark.parametrize("kind", [Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE, Kind.FIFO])
def test_what_no_image_may_hold(kind: Kind) -> None:
    with pytest.raises(FormatError) as caught:
        Tree().add(claim(Entry("dev/x", kind, 0o600), 'deb "a"'))
    assert str(caught.value) == 'cannot compose "/dev/x": deb "a" makes it a device or FIFO'


@pytest.mark.parametrize("order", [("deb", "effect", "user"), ("user", "effect", "deb"), ("effect", "user", "deb")])
def test_who_decides_on_a_folder(order: tuple[str, ...]) -> None:
    modes = {"deb": 0o755, "effect": 0o700, "user": 0o1777}
    tree = Tree()
    for rank in order:
        tree.add(claim(Entry.directory("d", modes[rank]), rank, rank))
    (made,) = tree
    assert (made.origin, made.entry.mode) == ("user", 0o1777)


def test_extended_attributes_are_content() -> None:
    file = Entry("x", Kind.FILE, 0o755, size=1, sha256="0" * 64)
    tree = Tree()
    tree.add(claim(file))
    with pytest.raises(AnalysisError, match=r"mode 0755 and test says .*, mode 0755, security.capability;"):
        tree.add(claim(replace(file, xattrs=(("security.capability", "00"),))))
