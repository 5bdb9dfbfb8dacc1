"""Builds whose cache folder is full, read-only, forbidden or limited: one clear error, and nothing broken."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from distroless_rules.errors import StorageError
from distroless_rules.storage import gc
from tests.support.command import Commands, Ran
from tests.support.disk import fill_up, let_everyone_in, needs_root, remount, small_disk
from tests.support.process import NOBODY, become_nobody, in_child
from tests.support.small_layer import ACTIONS, LAYER, check_layer, layer_workshop
from tests.support.workshop import Workshop

FULL = "no space left on device; free some space, or make the cache smaller with distroless cache gc --max-size"
_FILES = {
    "BUILD": 'load("//:rules.bzl", "text")\ntext(name = "a", content = "one")\n',
    "rules.bzl": """
        def _text(ctx):
            out = ctx.actions.declare_file(ctx.label.name + ".txt")
            ctx.actions.write(out, ctx.attr.content)
            return [DefaultInfo(files = depset([out]))]

        text = rule(implementation = _text, attrs = {"content": attr.string()})
        """,
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "4m") as folder:
        yield folder


def _sound(shop: Workshop) -> None:
    assert gc.verify(shop.cache) == []
    assert os.listdir(shop.cache / "tmp") == []


@needs_root
@pytest.mark.parametrize("kilobytes", [4, 100, 300, 500, 700, 900])
def test_a_disk_that_fills_up_during_a_build(disk: Path, kilobytes: int) -> None:
    shop = layer_workshop(disk)
    shop.cache.mkdir()
    filler = fill_up(disk)
    os.truncate(filler, filler.stat().st_size - kilobytes * 1000)
    with pytest.raises(StorageError) as caught:
        shop.build(ACTIONS, *LAYER, keep_going=True)
    assert str(caught.value).endswith(FULL)
    filler.unlink()
    _sound(shop)
    built = shop.build(ACTIONS, *LAYER)
    check_layer(shop, built)
    assert built.corrupt == 0
    _sound(shop)


@pytest.mark.parametrize("limit", [100, 150_000])
def test_a_limit_on_the_size_of_files(tmp_path: Path, limit: int) -> None:
    shop = layer_workshop(tmp_path)

    def build() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        shop.build(ACTIONS, *LAYER)

    with pytest.raises(StorageError, match=": file too large; free some space"):
        in_child(build)
    _sound(shop)
    check_layer(shop, shop.build(ACTIONS, *LAYER))


@needs_root
def test_a_cache_that_belongs_to_another_user(tmp_path: Path) -> None:
    commands = Commands(tmp_path, _FILES)
    assert commands.run("build", ":a").status == 0
    let_everyone_in(tmp_path)
    for path in [commands.root, *commands.root.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    commands.write({"BUILD": _FILES["BUILD"].replace("one", "two")})

    def build() -> Ran:
        become_nobody()
        return commands.run("build", ":a")

    ran = in_child(build)
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == (
        f'distroless: cannot use the cache folder "{commands.cache}": permission denied; '
        "set DISTROLESS_CACHE to a folder you can write"
    )
    assert "Traceback" not in ran.err


@needs_root
def test_a_read_only_cache_serves_while_nothing_is_new(tmp_path: Path, disk: Path) -> None:
    commands = Commands(tmp_path, _FILES)
    commands.cache = disk / "cache"
    for _ in range(2):  # the first one makes the output folder, which changes the workspace
        assert commands.run("build", ":a").status == 0
    remount(disk, "ro")
    again = commands.run("build", ":a")
    assert (again.status, (commands.root / "distroless-out/a.txt").read_text()) == (0, "one")
    commands.write({"BUILD": _FILES["BUILD"].replace("one", "two")})
    refused = commands.run("build", ":a")
    assert refused.status == 1
    assert "read-only file system; set DISTROLESS_CACHE to a folder you can write" in refused.err
    assert "Traceback" not in refused.err
    assert (commands.root / "distroless-out/a.txt").read_text() == "one"
    remount(disk, "rw")
    assert commands.run("build", ":a").status == 0
    assert (commands.root / "distroless-out/a.txt").read_text() == "two"
