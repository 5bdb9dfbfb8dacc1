"""``distroless init``: what it writes, and that what is there stays."""

from __future__ import annotations

from pathlib import Path

from tests.support.command import Commands


def test_a_new_workspace(tmp_path: Path) -> None:
    commands = Commands(tmp_path, {})
    ran = commands.run("init", "shop")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == (
        "wrote shop/distroless.toml\nwrote shop/BUILD\nwrote shop/main.py\nwrote shop/.gitignore\n"
        "now try: cd shop && distroless run //:image\n"
    )
    text = (commands.root / "shop/distroless.toml").read_text("utf-8")
    assert 'name = "shop"' in text
    query = commands.run("query", "//...", "--output", "label_kind", folder="shop")
    assert query.status == 0
    assert "distroless_image rule //:image" in query.out


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    commands = Commands(tmp_path, {"shop/BUILD": "# mine\n"})
    assert commands.run("init", "shop").status == 0
    assert (commands.root / "shop/BUILD").read_text("utf-8") == "# mine\n"
    assert not (commands.root / "shop/main.py").exists()
    again = commands.run("init", "shop")
    assert again.status == 2
    assert again.err == "distroless: cannot make a workspace of shop: it has a distroless.toml already\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    ran = Commands(tmp_path, {"file": "text"}).run("init", "file/shop")
    assert ran.status == 2
    assert ran.err == "distroless: cannot make a workspace of file/shop: Not a directory\n"
