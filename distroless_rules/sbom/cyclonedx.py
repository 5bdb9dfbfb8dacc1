"""CycloneDX 1.6: an inventory in, a JSON document out, made of the models of cyclonedx-python-lib.

The image is what the document is about; packages are components, and files are components in them, those of no package
on their own. Symbolic links are properties of the image. Source: CycloneDX 1.6 (ECMA-424).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from distroless_rules.sbom.component import Component as Part
from distroless_rules.sbom.component import Inventory, address, shown
from distroless_rules.sbom.copyright import Licence
from distroless_rules.sbom.identity import TOOL, instant, serial
from distroless_rules.values.path import encode

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component, Pedigree
    from cyclonedx.model.license import License

__all__ = ["dump"]

_LINK = "distroless:symlink"
_LICENCE = "distroless:licence"


def dump(inventory: Inventory) -> bytes:
    """Write an inventory."""
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    subject = inventory.subject
    image = Component(
        name=subject.name,
        type=ComponentType.CONTAINER,
        bom_ref="image",
        version=subject.digest or None,
        purl=PackageURL.from_string(inventory.purl),
        hashes=[_sha256(subject.digest.partition(":")[2])] if subject.digest else [],
        properties=[Property(name=_LINK, value=f"{shown(a)} -> {shown(b)}") for a, b in inventory.links.items()],
    )
    tools = ToolRepository(components=[Component(name=TOOL, type=ComponentType.APPLICATION, bom_ref="tool")])
    parts = {each.purl: _component(each, inventory) for each in inventory.components}
    bom = Bom(
        serial_number=serial(subject),
        metadata=BomMetaData(component=image, timestamp=instant(subject.created), tools=tools),
        components=[*parts.values(), *_files(inventory.own, inventory)],
    )
    bom.register_dependency(image, parts.values())
    for each in inventory.components:
        bom.register_dependency(parts[each.purl], [parts[purl] for purl in each.depends])
    return f"{JsonV1Dot6(bom).output_as_string(indent=1)}\n".encode()


def _component(part: Part, inventory: Inventory) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from packageurl import PackageURL

    homepage = address(part.homepage)
    website = [ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(homepage))] if homepage else []
    return Component(
        name=part.name,
        type=ComponentType.LIBRARY,
        bom_ref=part.purl,
        version=part.version or None,
        description=part.summary or None,
        supplier=OrganizationalEntity(name=part.supplier) if part.supplier else None,
        purl=PackageURL.from_string(part.purl),
        hashes=[_sha256(part.sha256)] if part.sha256 else [],
        licenses=list(_licences(part.licence)),
        properties=list(_remarks(part.licence)),
        external_references=website,
        pedigree=_pedigree(part),
        components=_files(part.files, inventory),
    )


def _pedigree(part: Part) -> Pedigree | None:
    from cyclonedx.model.component import Component, ComponentType, Pedigree
    from packageurl import PackageURL

    if part.source is None:
        return None
    source = Component(
        name=part.source.name,
        type=ComponentType.LIBRARY,
        # The same source is the ancestor of several components, and a reference must be nobody else's.
        bom_ref=f"source of {part.purl}",
        version=part.source.version or None,
        purl=PackageURL.from_string(part.source.purl),
    )
    return Pedigree(ancestors=[source])


def _sha256(content: str) -> HashType:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=content)


def _files(paths: Iterable[str], inventory: Inventory) -> Iterator[Component]:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    for path in paths:
        sums = inventory.hashes[path]
        hashes = [HashType(alg=HashAlgorithm.SHA_1, content=sums.sha1), _sha256(sums.sha256)]
        name = f"/{shown(path)}"
        plain = name == f"/{path}"  # else another path may be shown alike
        reference = f"file:{name}" if plain else f"file:{encode(path).hex()}"
        yield Component(name=name, type=ComponentType.FILE, bom_ref=reference, hashes=hashes)


def _licences(licence: Licence) -> Iterator[License]:
    """Give an expression, or one licence by its name and text: an expression has no place for texts."""
    from cyclonedx.model import AttachedText
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression

    if licence.expression in licence.texts:
        name, text = licence.texts[licence.expression]
        yield DisjunctiveLicense(name=name, text=AttachedText(content=text))
    elif licence.expression:
        yield LicenseExpression(licence.expression)


def _remarks(licence: Licence) -> Iterator[Property]:
    from cyclonedx.model import Property

    if licence.expression not in licence.texts:
        for reference, (name, _) in licence.texts.items():
            yield Property(name=f"{_LICENCE}:{reference}", value=name)
    if licence.comment:
        yield Property(name=_LICENCE, value=licence.comment)
