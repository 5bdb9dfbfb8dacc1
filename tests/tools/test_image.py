"""The tool Image: layers and attributes in, documents out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distroless_rules.errors import AnalysisError
from distroless_rules.oci.config import Config
from distroless_rules.oci.descriptor import Descriptor
from distroless_rules.oci.manifest import Manifest
from distroless_rules.tools.image import TOOL
from distroless_rules.values.digest import Digest
from distroless_rules.values.platform import Platform
from tests.support.workbench import perform

LAYERS = [
    {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": "sha256:" + digit * 64,
        "size": 10,
        "diffId": "sha256:" + "f" * 63 + digit,
        "bytes": 20,
        "files": 1,
    }
    for digit in "01"
]
PARAMETERS: dict[str, Any] = {
    "platform": "linux/amd64",
    "entrypoint": ["/usr/bin/app"],
    "cmd": [],
    "env": {"PATH": "/usr/bin"},
    "user": "65532",
    "workdir": "/",
    "labels": {},
    "annotations": {"org.opencontainers.image.title": "app"},
    "exposed_ports": ["8080", "53/udp", "8080/tcp"],
    "volumes": ["/var/lib/app/"],
    "stop_signal": "SIGRTMIN+3",
    "created": 86400,
    "author": "",
    "history": ["libc6", "application"],
}


def make(folder: Path, report: dict[str, Any] | None = None, **changed: Any) -> dict[str, bytes]:
    inputs: dict[str, bytes | Path] = {f"layer/{at:02}": json.dumps(row).encode() for at, row in enumerate(LAYERS)}
    inputs["report"] = json.dumps(report or {"user": "65532:65532"}).encode()
    return perform(TOOL, folder, inputs, PARAMETERS | changed)


def test_documents_name_each_other(tmp_path: Path) -> None:
    made = make(tmp_path)
    config, manifest = Config.loads(made["config"]), Manifest.loads(made["manifest"])
    assert manifest.config.digest == Digest.of(made["config"])
    assert [layer.digest.oci for layer in manifest.layers] == [row["digest"] for row in LAYERS]
    assert manifest.annotations == {"org.opencontainers.image.title": "app"}
    assert list(config.diff_ids) == [row["diffId"] for row in LAYERS]
    assert [entry.created_by for entry in config.history] == [
        "distroless-rules: libc6",
        "distroless-rules: application",
    ]
    assert config.created == "1970-01-02T00:00:00Z"
    assert config.start.ports == ("53/udp", "8080/tcp")
    assert config.start.volumes == ("/var/lib/app",)
    descriptor = Descriptor.parse(json.loads(made["descriptor"]), "the descriptor")
    assert descriptor.digest == Digest.of(made["manifest"])
    assert descriptor.platform == Platform("linux", "amd64")


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    env = {"B": "1", "A": "2"}
    assert make(tmp_path, env=env) == make(tmp_path, env=dict(reversed(env.items())))


@pytest.mark.parametrize(
    ("user", "resolved", "written"),
    [
        ("postgres", "100:102", "100"),
        ("postgres:ssl-cert", "100:103", "100:103"),
        ("65532", "65532:65532", "65532"),
        ("", "", ""),
    ],
)
def test_user_is_written_in_numbers(tmp_path: Path, user: str, resolved: str, written: str) -> None:
    made = make(tmp_path, {"user": resolved}, user=user)
    assert Config.loads(made["config"]).start.user == written


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "arm/v7"])
def test_platform_is_in_config_and_descriptor(tmp_path: Path, architecture: str) -> None:
    platform = Platform.parse(f"linux/{architecture}")
    made = make(tmp_path, platform=str(platform))
    assert Config.loads(made["config"]).platform == platform
    assert Descriptor.parse(json.loads(made["descriptor"]), "").platform == platform


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("exposed_ports", ["http"], 'cannot set "exposed_ports": "http" is not a port; expected 8080, 8080/tcp'),
        ("exposed_ports", ["65536"], 'cannot set "exposed_ports": "65536" is not a port'),
        ("exposed_ports", ["0/tcp"], 'cannot set "exposed_ports": "0/tcp" is not a port'),
        ("exposed_ports", ["80/icmp"], 'cannot set "exposed_ports": "80/icmp" is not a port'),
        ("volumes", ["data"], 'cannot set "volumes": "data" is not an absolute path'),
        ("volumes", ["/a/../b"], 'cannot set "volumes": path "/a/../b" climbs out with ".."'),
        ("volumes", ["/"], 'cannot set "volumes": the root folder cannot be a volume'),
        ("workdir", "srv", 'cannot set "workdir": "srv" is not an absolute path'),
        ("env", {"A=B": "c"}, 'cannot set "env": "A=B" cannot be an environment variable'),
        ("env", {"": "c"}, 'cannot set "env": "" cannot be an environment variable'),
        ("env", {"A": "b\0"}, 'cannot set "env": "A" cannot be an environment variable'),
        ("labels", {"": "c"}, 'cannot set "labels": "" is not a key with a text'),
        ("annotations", {"a": "\0"}, 'cannot set "annotations": "a" is not a key with a text'),
        ("entrypoint", [""], 'cannot set "entrypoint": its first word is empty'),
        ("cmd", ["a", "\0"], 'cannot set "cmd": an argument holds a NUL byte'),
        ("user", "a:b:c", 'cannot set "user": "a:b:c" is not well formed; expected user or user:group'),
        ("stop_signal", "SIGTREM", 'cannot set "stop_signal": "SIGTREM" is not a signal; did you mean "SIGTERM"?'),
        ("stop_signal", "65", 'cannot set "stop_signal": "65" is not a signal'),
        ("stop_signal", "0", 'cannot set "stop_signal": "0" is not a signal'),
        ("stop_signal", "SIGRTMIN+31", 'cannot set "stop_signal": "SIGRTMIN+31" is not a signal'),
        ("created", -1, 'cannot set "created": -1 is not in the years 1970 to 9999'),
        ("created", 253402300800, 'cannot set "created": 253402300800 is not in the years'),
        ("platform", "linux/vax", 'cannot use platform "linux/vax": it is not known'),
        ("history", ["one"], "cannot write an image's config: 2 layers have 1 entries of history"),
    ],
)
def test_mistakes_name_the_attribute(tmp_path: Path, attribute: str, value: Any, message: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        make(tmp_path, **{attribute: value})
    assert str(caught.value).startswith(message)
