"""Layers laid over each other: layouts and archives in, what a container sees and what lies hidden out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distroless_rules.errors import DistrolessError
from distroless_rules.oci import layout
from distroless_rules.oci.layers import Layers
from distroless_rules.oci.opened import open_image
from distroless_rules.oci.unpack import unpack
from distroless_rules.values.tree import Kind
from tests.oci.test_unpack import MEMBERS, listing
from tests.support.image import Member, device, directory, file, hardlink, layout_of, symlink, tar

LAYERS = [
    [directory("etc"), file("etc/a", b"one"), file("etc/b", b"twotwo"), symlink("link", "etc"), file("x/y", b"z")],
    [file("etc/.wh.a"), file("link/b", b"new", 0o600, 7, 8), hardlink("w", "link/b"), file("x/.wh..wh..opq")],
]
SEEN = {
    "etc": "755 /",
    "etc/b": "600 new",
    "link": "-> etc",
    "w": "600 new",
    "x": "755 /",
}


def seen(folder: Path) -> dict[str, str]:
    """Give what a container would see, as ``listing`` does."""
    with open_image(str(folder)) as image, Layers.read(image) as layers:
        found = {}
        for path, entry in layers.entries.items():
            if entry.kind is Kind.SYMLINK:
                found[path] = f"-> {entry.target}"
            else:
                text = "/" if entry.kind is Kind.DIRECTORY else layers.bytes_of(entry).decode()
                found[path] = f"{entry.mode:o} {text}"
        return dict(sorted(found.items()))


def made(folder: Path, *layers: list[Member], compression: str = "gzip") -> Path:
    return layout_of(folder, [tar(*layer) for layer in layers], compression=compression)


def test_what_a_container_sees(tmp_path: Path) -> None:
    assert seen(made(tmp_path / "image", *LAYERS)) == SEEN


def test_what_lies_hidden(tmp_path: Path) -> None:
    with open_image(str(made(tmp_path / "image", *LAYERS))) as image, Layers.read(image) as layers:
        assert [(each.path, each.size, each.layer, each.by) for each in layers.hidden] == [
            ("etc/b", 6, 0, 1),
            ("etc/a", 3, 0, 1),
            ("x/y", 1, 0, 1),
        ]
        assert [tally.hidden for tally in layers.tallies] == [10, 0]
        assert [tally.whiteouts for tally in layers.tallies] == [0, 2]
        assert layers.layer_of["etc/b"] == 1


def test_held_files_may_be_hard_links_to_others(tmp_path: Path) -> None:
    below, above = [file("a", b"one"), file("b"), hardlink("d/c", "a")], [file("z", b"two"), hardlink("d/e", "z")]
    with (
        open_image(str(made(tmp_path / "image", below, above))) as image,
        Layers.read(image, lambda path: path.startswith("d/")) as layers,
    ):
        assert [layers.bytes_of(layers.entries[path]) for path in ("d/c", "d/e")] == [b"one", b"two"]


def test_devices_are_files_of_an_image_too(tmp_path: Path) -> None:
    with open_image(str(made(tmp_path / "image", [device("null")]))) as image, Layers.read(image) as layers:
        assert layers.entries["null"].kind is Kind.CHARACTER_DEVICE


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(MEMBERS, max_size=5), min_size=1, max_size=4))
def test_it_is_what_would_be_laid_out_on_disk(layers: list[list[Member]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder / "image", *layers, compression="none")
        (folder / "root").mkdir()
        try:
            expected = listing(unpack(layout.read(folder / "image"), folder / "root").folder)
        except DistrolessError:
            with pytest.raises(DistrolessError):
                seen(folder / "image")
            return
        assert seen(folder / "image") == expected
