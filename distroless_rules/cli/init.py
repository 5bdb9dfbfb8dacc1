"""``distroless init``."""

from __future__ import annotations

from pathlib import Path

import click

from distroless_rules.cli.common import note
from distroless_rules.errors import RequestError
from distroless_rules.loading.workspace import CONFIG_NAME, OUTPUT_NAME

__all__ = ["command"]

_CONFIG = """\
[workspace]
name = "{name}"

[archive.trixie]                       # gives the labels @trixie//<deb>
type = "deb"
suites = ["trixie", "trixie-updates", "trixie-security"]
components = ["main"]
architectures = ["{architecture}"]
# uris and keyring are left out: they are taken from this machine's apt sources
"""

_BUILD = """\
load("@distroless_rules//rules:defs.bzl", "distroless_image", "files")

files(
    name = "app",
    srcs = {"/app/main.py": "main.py"},
)

distroless_image(
    name = "image",
    contents = [
        ":app",
        "@trixie//ca-certificates",
        "@trixie//python3",
    ],
    entrypoint = ["/usr/bin/python3", "/app/main.py"],
)
"""

_MAIN = 'print("hello from a distroless image")\n'


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--debug", is_flag=True, expose_value=False, hidden=True)
def command(folder: Path) -> None:
    """Write distroless.toml, a BUILD file and a small program into FOLDER; what is there already stays."""
    from distroless_rules.values.platform import HOST

    if (folder / CONFIG_NAME).exists():
        raise RequestError(f"make a workspace of {folder}", f"it has a {CONFIG_NAME} already")
    name = folder.resolve().name or "workspace"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        texts = {CONFIG_NAME: _CONFIG.format(name=name, architecture=HOST.deb)}
        if not (folder / "BUILD").exists():
            texts["BUILD"] = _BUILD
            if not (folder / "main.py").exists():
                texts["main.py"] = _MAIN
        if not (folder / ".gitignore").exists():
            texts[".gitignore"] = f"/{OUTPUT_NAME}/\n"
        for file, text in texts.items():
            (folder / file).write_text(text, "utf-8")
            note(f"wrote {folder / file}")
    except OSError as error:
        raise RequestError(f"make a workspace of {folder}", error.strerror or str(error)) from error
    go = "" if str(folder) == "." else f"cd {folder} && "
    note(f"now try: {go}distroless run //:image")
