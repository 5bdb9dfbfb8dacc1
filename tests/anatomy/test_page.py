"""Pages of images: rectangles, places of debs, and what a page holds whatever names an image has."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.analyzing import analyzed
from distroless_rules.anatomy import page, sheet
from distroless_rules.anatomy.graph import draw
from distroless_rules.anatomy.sheet import Band, Item, Sheet, Table
from distroless_rules.anatomy.treemap import Rectangle, squarified
from distroless_rules.oci.config import Start
from tests.anatomy.test_groups import FAST, LIBC, PROGRAM, TOOLS
from tests.support.fat import deb, fat
from tests.support.image import file

_TAGS = """
html head meta title style body h1 h2 dl dt dd div table thead tbody tr th td span p svg rect text path label input
button details summary script
"""
TAGS = frozenset(_TAGS.split())
EVIL = "<script>alert(1)</script>\"'&\x1b\udcff\u202e"


class Read(HTMLParser):
    """A page as a browser takes it: elements with their attributes, and the text of each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(folder: Path) -> str:
    more = deb("tool", "libc6", files={f"usr/share/{EVIL}": b"x" * 500})
    own: dict[str, bytes | str] = {"srv/run": PROGRAM, f"srv/{EVIL.replace('/', '_')}/a": b"x"}
    later = [file("srv/.wh.run"), file("srv/two", b"22")]
    image = fat(folder / "image", [LIBC, *TOOLS, FAST, more], own, later, start=Start((EVIL.replace("\udcff", ""),)))
    with analyzed(str(image)) as found:
        return page.render(sheet.of(found, "the <image>"))


def test_names_in_an_image_stay_text(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    read = Read(text)
    assert len(read.all("script")) == 1
    assert {tag for tag, _ in read.elements} <= TAGS
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert any("<script>alert(1)</script>" in words for words in read.texts), "it is shown as it is called"


def test_a_page_is_the_same_each_time_and_asks_nobody(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    (tmp_path / "again").mkdir()
    assert page_of(tmp_path / "again") == text
    assert not re.search(r"https?:|url\(|@import|<link|<img|src=", text)


def test_the_policy_allows_this_script_and_style_alone(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    policy = next(each["content"] or "" for each in Read(text).all("meta") if "http-equiv" in each)
    for tag in ("script", "style"):
        inner = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")


def test_every_rectangle_has_its_row_with_the_same_number(tmp_path: Path) -> None:
    read = Read(page_of(tmp_path))
    rows = {each["data-item"]: each for each in read.all("tr") if "data-item" in each}
    names = {str(each["data-name"]): each for each in rows.values()}
    assert {each["data-item"] for each in read.all("rect")} <= rows.keys()
    needs = str(names["gcc"]["data-needs"]).split()
    assert {str(rows[number]["data-name"]) for number in needs} == {"libmpc", "libc6"}
    assert names["libfast1"]["data-group"] == "unused", "what led to it was deleted"
    edges = {(each["data-from"], each["data-to"]) for each in read.all("path")}
    assert (names["gcc"]["data-item"], names["libc6"]["data-item"]) in edges
    assert "/srv/run" in names, "hidden files are shown too"


def test_a_page_without_debs_and_one_of_a_build() -> None:
    item = Item("/srv", "application", 10, 10, 1, "files")
    bands = (Band("application", "files", (item,)),)
    plain = page.render(Sheet("x", (("platform", "linux/amd64"),), bands, (Table("T", ("a",), (("b",),)),), own=True))
    assert "Dependencies" not in plain
    assert "<th>stays</th>" not in plain
    assert "<summary>T</summary>" in plain


@given(st.lists(st.integers(0, 10**9), max_size=60), st.floats(1, 2000), st.floats(1, 2000))
def test_areas_are_as_sizes_are(sizes: list[int], width: float, height: float) -> None:
    sizes.sort(reverse=True)
    found = squarified(sizes, Rectangle(5, 7, width, height))
    assert len(found) == len(sizes)
    for size, at in zip(sizes, found, strict=True):
        assert at.width * at.height == pytest.approx(size / (sum(sizes) or 1) * width * height, rel=1e-6, abs=1e-6)
        assert at.x >= 5 - 1e-6
        assert at.x + at.width <= 5 + width * (1 + 1e-9) + 1e-6
        assert at.y + at.height <= 7 + height * (1 + 1e-9) + 1e-6


def test_no_two_debs_have_one_place_and_cycles_end() -> None:
    def item(number: int) -> Item:
        return Item(f"deb{number}", "build", number, 0, 1, needs=(f"deb{(number + 1) % 400}", "other"))

    drawing = draw([Band("build", "tools", tuple(item(number) for number in range(400)))])
    assert len({(at.x, at.y) for at in drawing.chips.values()}) == 400
    assert all(at.x + at.width <= drawing.width and at.y + at.height <= drawing.height for at in drawing.chips.values())
    assert len(drawing.edges) == 400
