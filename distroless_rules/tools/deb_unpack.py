"""DebUnpack: a deb in; its decoded data archive and its index out.

Input ``deb``. Parameters ``name``, ``version`` and ``architecture``: what the control file must say. Outputs ``tree``,
the data archive decoded and otherwise as it is, and ``index`` (``deb.package``).
"""

from __future__ import annotations

from distroless_rules.deb import package
from distroless_rules.errors import TrustError
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]

_FIELDS = {"name": "Package", "version": "Version", "architecture": "Architecture"}


def _perform(bench: Workbench) -> None:
    wanted = bench.parameters
    what = f"{wanted['name']}_{wanted['version']}_{wanted['architecture']}.deb"
    with bench.inputs["deb"].path.open("rb") as file, bench.output("tree") as tree:
        index = package.read(file, what, tree.write, bench.map)
        for parameter, field in _FIELDS.items():
            if index.control[field] != wanted[parameter]:
                raise TrustError(
                    f"unpack {what}",
                    f'its control file says {field}: "{index.control[field]}" and not "{wanted[parameter]}"',
                )
    with bench.output("index") as sink:
        sink.write(package.dumps(index, tree.digest.hash))


TOOL = Tool("DebUnpack", "1", _perform)
