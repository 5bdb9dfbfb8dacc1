"""Wheels, downloaded by pip with the settings that this machine has for it: an index, proxies, certificates, keys.

Going in: lines of a requirements file and the Python they are for. Going out: a folder with one wheel for each, whose
hash is one of those that its line names; pip checks it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from distroless_rules.errors import FetchError, TrustError
from distroless_rules.pypi.requirements import Line
from distroless_rules.pypi.target import Target

__all__ = ["download"]

_LINES = 12  # of what pip says that are shown
_MISMATCH = "DO NOT MATCH THE HASHES"
_HINTS = (
    (_MISMATCH, "the file is not the one that was locked: find out why before you lock it anew"),
    ("No matching distribution", "is there a wheel for this Python and platform? only wheels are taken"),
)


def download(lines: Sequence[Line], name: str, target: Target, folder: Path) -> list[Path]:
    """Download wheels.

    Args:
        lines: what to download.
        name: the requirements file, for messages.
        target: the Python that they are for.
        folder: where they go; empty.

    Returns:
        The wheels, sorted by name.

    Raises:
        FetchError: if pip is not installed or does not find one.
        TrustError: if one has another hash.
    """
    if not any(line.name for line in lines):
        return []
    doing = f"fetch the wheels of {name} for Python {target.version} on {target.platform}"
    if importlib.util.find_spec("pip") is None:
        raise FetchError(doing, "pip is not installed beside this program", hint=f"{sys.executable} -m ensurepip")
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{line.text}\n" for line in lines), "utf-8")
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    words += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(folder)]
    words += ["--implementation", "cp", "--python-version", target.version]
    for abi in (f"cp{target.version.replace('.', '')}", "abi3", "none"):
        words += ["--abi", abi]
    for platform in target.platforms():
        words += ["--platform", platform]
    done = subprocess.run(
        [*words, "--requirement", str(wanted)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    wanted.unlink()
    if done.returncode:
        said = [line for line in done.stderr.replace(str(wanted), name).splitlines() if line.strip()]
        cause = "\n".join(["pip says:", *(f"  {line}" for line in said[:_LINES])])
        hint = next((hint for words_, hint in _HINTS if words_ in done.stderr), "")
        raise (TrustError if _MISMATCH in done.stderr else FetchError)(doing, cause, hint=hint)
    return sorted(folder.iterdir())
