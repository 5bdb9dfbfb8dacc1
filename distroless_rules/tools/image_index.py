"""ImageIndex: the descriptors of images in, an index that has one of them for each platform out.

Inputs: ``image/<n>``, as the tool ``Image`` gives them. Parameters: ``annotations``.

Outputs: ``index``; ``descriptor``, by which a layout names the index.
"""

from __future__ import annotations

from collections.abc import Iterable

from distroless_rules.errors import AnalysisError
from distroless_rules.oci import document
from distroless_rules.oci.descriptor import INDEX, Descriptor
from distroless_rules.oci.manifest import Index
from distroless_rules.tools import image_options
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    what = "an image's descriptor"
    images = [Descriptor.parse(document.loads(file.path.read_bytes(), what), what) for file in bench.inputs.values()]
    _check(images)
    # The order in which images are listed makes no other index.
    manifests = sorted(images, key=lambda image: str(image.platform))
    index = Index(tuple(manifests), image_options.texts("annotations", bench.parameters)).dump()
    with bench.output("index") as sink:
        sink.write(index)
    with bench.output("descriptor") as sink:
        sink.write(document.canonical(Descriptor(INDEX, Digest.of(index)).document()))


def _check(images: Iterable[Descriptor]) -> None:
    seen: set[Platform | None] = set()
    for image in images:
        if image.platform in seen:
            cause = f"two of its images are for {image.platform}"
            raise AnalysisError("write an image index", cause, hint="who pulls it could get only one of them")
        seen.add(image.platform)


TOOL = Tool("ImageIndex", "1", _perform)
