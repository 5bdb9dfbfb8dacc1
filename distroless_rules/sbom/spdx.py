"""SPDX 2.3: an inventory in, a JSON document out, made of the models of spdx-tools.

Packages: the image, each component, and the source packages that they were built from. Files: every regular file.
Symbolic links have no bytes to be hashed: they are annotations of the image. Source: SPDX 2.3, clauses 6 to 12.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from distroless_rules.sbom.component import Component, Inventory, Source, address, shown
from distroless_rules.sbom.identity import TOOL, instant, serial
from distroless_rules.sbom.licences import slug
from distroless_rules.values.path import encode

if TYPE_CHECKING:
    from spdx_tools.spdx.model import Document, ExtractedLicensingInfo, File, Package, Relationship

__all__ = ["dump"]

_PERSON = re.compile(r"([^<>]*\S)\s*(?:<([^<>@\s]+@[^<>@\s]+)>)?")
_IMAGE = "SPDXRef-Image"
_DOCUMENT = "SPDXRef-DOCUMENT"


def dump(inventory: Inventory) -> bytes:
    """Write an inventory."""
    from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter

    # The writer of spdx-tools validates first, in time that grows with the square of the files.
    document = DocumentConverter().convert(_document(inventory))  # type: ignore[no-untyped-call]
    return f"{json.dumps(document, indent=1)}\n".encode()


def _document(inventory: Inventory) -> Document:
    from spdx_tools.spdx.model import Actor, ActorType, Annotation, AnnotationType, CreationInfo, Document

    subject = inventory.subject
    created = _date(subject.created)
    tool = Actor(ActorType.TOOL, TOOL)
    sources = {each.source.purl: each.source for each in inventory.components if each.source is not None}
    return Document(
        CreationInfo("SPDX-2.3", _DOCUMENT, subject.name, serial(subject).urn, [tool], created),
        [_image(inventory), *(_package(each, inventory) for each in inventory.components), *map(_source, _by(sources))],
        [_file(path, inventory) for path in inventory.hashes],
        annotations=[
            Annotation(_IMAGE, AnnotationType.OTHER, tool, created, f"symbolic link: {shown(path)} -> {shown(target)}")
            for path, target in inventory.links.items()
        ],
        relationships=list(_relationships(inventory)),
        extracted_licensing_info=list(_texts(inventory.components)),
    )


def _by(sources: dict[str, Source]) -> Iterator[Source]:
    return (sources[purl] for purl in sorted(sources))


def _date(created: str) -> datetime:
    return instant(created).replace(tzinfo=None)


def _id(kind: str, name: str, key: str) -> str:
    """Give an identifier that is the same for the same thing, and another's for no other."""
    digest = hashlib.sha256(encode(key)).hexdigest()[:16]
    return f"SPDXRef-{kind}-{slug(name)}-{digest}"


def _file_id(path: str) -> str:
    return _id("File", path.rpartition("/")[2], path)


def _component_id(component: Component) -> str:
    return _id("Package", component.name, component.purl)


def _source_id(source: Source) -> str:
    return _id("Source", source.name, source.purl)


def _common(paths: Iterable[str], inventory: Inventory) -> dict[str, Any]:
    """Give what is said of every package that files are in, or none."""
    from spdx_tools.spdx.model import PackageVerificationCode, SpdxNoAssertion

    sums = sorted(inventory.hashes[path].sha1 for path in paths)
    # SPDX 2.3, 7.9: the SHA-1 of the files' SHA-1s, sorted and joined.
    code = hashlib.sha1("".join(sums).encode(), usedforsecurity=False).hexdigest()
    return {
        "download_location": SpdxNoAssertion(),
        "files_analyzed": bool(sums),
        "verification_code": PackageVerificationCode(code) if sums else None,
        "license_concluded": SpdxNoAssertion(),
        "copyright_text": SpdxNoAssertion(),
    }


def _purl(purl: str) -> list[Any]:
    from spdx_tools.spdx.model import ExternalPackageRef, ExternalPackageRefCategory

    return [ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", purl)]


def _image(inventory: Inventory) -> Package:
    from spdx_tools.spdx.model import Checksum, ChecksumAlgorithm, Package, PackagePurpose, SpdxNoAssertion

    subject = inventory.subject
    return Package(
        _IMAGE,
        subject.name,
        version=subject.digest or None,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, subject.digest.partition(":")[2])] if subject.digest else [],
        license_declared=SpdxNoAssertion(),
        external_references=_purl(inventory.purl),
        primary_package_purpose=PackagePurpose.CONTAINER,
        comment=f"An image for {subject.platform}; its own files are in no package.",
        **_common(inventory.own, inventory),
    )


def _package(component: Component, inventory: Inventory) -> Package:
    from spdx_tools.spdx.model import Checksum, ChecksumAlgorithm, Package, SpdxNoAssertion

    licence = component.licence
    sums = [Checksum(ChecksumAlgorithm.SHA256, component.sha256)] if component.sha256 else []
    return Package(
        _component_id(component),
        component.name,
        version=component.version or None,
        supplier=_supplier(component.supplier),
        checksums=sums,
        homepage=address(component.homepage) or None,
        license_declared=_expressions().parse(licence.expression) if licence.expression else SpdxNoAssertion(),
        license_comment=licence.comment or None,
        summary=component.summary or None,
        external_references=_purl(component.purl),
        **_common(component.files, inventory),
    )


@functools.lru_cache(maxsize=1)
def _expressions() -> Any:
    """Give what makes expressions; it need not know licences, as ``sbom.licences`` wrote them."""
    from license_expression import Licensing

    return Licensing()


def _supplier(text: str) -> Any:
    from spdx_tools.spdx.model import Actor, ActorType, SpdxNoAssertion

    match = _PERSON.fullmatch(text)
    return Actor(ActorType.PERSON, match[1], match[2]) if match else SpdxNoAssertion()


def _source(source: Source) -> Package:
    from spdx_tools.spdx.model import Package, PackagePurpose, SpdxNoAssertion

    return Package(
        _source_id(source),
        source.name,
        SpdxNoAssertion(),
        version=source.version or None,
        files_analyzed=False,
        license_concluded=SpdxNoAssertion(),
        license_declared=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
        external_references=_purl(source.purl),
        primary_package_purpose=PackagePurpose.SOURCE,
    )


def _file(path: str, inventory: Inventory) -> File:
    from spdx_tools.spdx.model import Checksum, ChecksumAlgorithm, File, SpdxNoAssertion

    sums = inventory.hashes[path]
    return File(
        f"./{shown(path)}",
        _file_id(path),
        [Checksum(ChecksumAlgorithm.SHA1, sums.sha1), Checksum(ChecksumAlgorithm.SHA256, sums.sha256)],
        license_concluded=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
    )


def _relationships(inventory: Inventory) -> Iterator[Relationship]:
    from spdx_tools.spdx.model import Relationship, RelationshipType

    known = {each.purl: _component_id(each) for each in inventory.components}
    yield Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _IMAGE)
    for component in inventory.components:
        mine = known[component.purl]
        yield Relationship(_IMAGE, RelationshipType.CONTAINS if inventory.own else RelationshipType.DEPENDS_ON, mine)
        if component.source is not None:
            yield Relationship(mine, RelationshipType.GENERATED_FROM, _source_id(component.source))
        for purl in component.depends:
            yield Relationship(mine, RelationshipType.DEPENDS_ON, known[purl])
        for path in component.files:
            yield Relationship(mine, RelationshipType.CONTAINS, _file_id(path))
    for path in inventory.own:
        yield Relationship(_IMAGE, RelationshipType.CONTAINS, _file_id(path))


def _texts(components: Iterable[Component]) -> Iterator[ExtractedLicensingInfo]:
    from spdx_tools.spdx.model import ExtractedLicensingInfo

    texts: dict[str, tuple[str, str]] = {}
    for each in components:
        texts = {**each.licence.texts, **texts}  # what debs share is called after the first of them
    for name, (called, text) in sorted(texts.items()):
        yield ExtractedLicensingInfo(name, text, called)
