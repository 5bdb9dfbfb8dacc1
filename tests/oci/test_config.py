"""Configs: what is written, and what is refused when read."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from distroless_rules.oci.config import Config, History, Start
from distroless_rules.values.platform import Platform

DIFF_ID = "sha256:" + "a" * 64


def test_config_is_one_text() -> None:
    config = Config(
        platform=Platform("linux", "arm", "v7"),
        start=Start(
            entrypoint=("/usr/bin/app", "-x"),
            cmd=("serve",),
            env={"PATH": "/bin", "A": "b=c"},
            user="65532",
            workdir="/srv",
            labels={"org.example": "é"},
            ports=("8080/tcp",),
            volumes=("/data",),
            stop_signal="SIGQUIT",
        ),
        diff_ids=(DIFF_ID,),
        history=(History("the base"), History("a label", empty_layer=True)),
        created="1970-01-01T00:00:00Z",
        author="me",
    )
    assert config.dump().decode() == (
        '{"architecture":"arm","author":"me","config":{"Cmd":["serve"],"Entrypoint":["/usr/bin/app","-x"],'
        '"Env":["A=b=c","PATH=/bin"],"ExposedPorts":{"8080/tcp":{}},"Labels":{"org.example":"é"},'
        '"StopSignal":"SIGQUIT","User":"65532","Volumes":{"/data":{}},"WorkingDir":"/srv"},'
        '"created":"1970-01-01T00:00:00Z",'
        '"history":[{"created":"1970-01-01T00:00:00Z","created_by":"the base"},'
        '{"created":"1970-01-01T00:00:00Z","created_by":"a label","empty_layer":true}],'
        f'"os":"linux","rootfs":{{"diff_ids":["{DIFF_ID}"],"type":"layers"}},"variant":"v7"}}'
    )
    assert Config.loads(config.dump()) == config


def test_what_is_empty_is_left_out() -> None:
    written = json.loads(Config(Platform("linux", "amd64")).dump())
    assert written == {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def test_nulls_of_other_builders_are_read() -> None:
    text = (
        '{"architecture":"amd64","os":"linux","config":{"Cmd":null,"Env":null,"Labels":null,"Volumes":null,'
        '"Entrypoint":["/a"],"OnBuild":null},"rootfs":{"type":"layers","diff_ids":null},"history":null}'
    )
    assert Config.loads(text.encode()) == Config(Platform("linux", "amd64"), Start(entrypoint=("/a",)))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", '"rootfs" is missing or of the wrong type'),
        ('{"os":1,"os":2}', "an object has a name twice"),
        ('{"a":NaN}', "NaN is no JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('{"os":"linux","architecture":"x","rootfs":{"diff_ids":["sha256:1"]}}', '"sha256:1" is not the diff ID'),
        ('{"os":"linux","architecture":"x","rootfs":{},"config":{"Env":["A"]}}', '"A" is not an environment variable'),
        ('{"os":"linux","architecture":"x","rootfs":{},"config":{"Env":"A=b"}}', '"Env" is not a list of strings'),
        ('{"os":"linux","architecture":"x","rootfs":{},"config":[1]}', '"config" is not an object'),
        ('{"os":"linux","architecture":"x","rootfs":{},"config":{"User":1}}', '"User" is missing or of the wrong'),
        ('{"os":"linux","architecture":"x","rootfs":{},"config":{"Volumes":[1]}}', '"Volumes" is not an object'),
        ('{"os":"linux","architecture":"x","rootfs":{},"history":[1]}', '"history" is not a list of objects'),
    ],
)
def test_malformed_configs_are_refused(text: str, cause: str) -> None:
    with pytest.raises(FormatError) as caught:
        Config.loads(text.encode())
    assert caught.value.cause.startswith(cause)


def test_a_config_larger_than_a_registry_takes_is_refused() -> None:
    with pytest.raises(FormatError, match="more than 4194304"):
        Config.loads(b" " * (4 << 20) + b"{}")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(FormatError):
        Config.loads(data)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_NAME = _TEXT.filter(lambda name: name and "=" not in name)


@given(
    st.builds(
        Start,
        entrypoint=st.lists(_TEXT, max_size=3).map(tuple),
        cmd=st.lists(_TEXT, max_size=3).map(tuple),
        env=st.dictionaries(_NAME, _TEXT, max_size=3),
        user=_TEXT,
        workdir=_TEXT,
        labels=st.dictionaries(_TEXT, _TEXT, max_size=3),
        ports=st.lists(_TEXT, max_size=3, unique=True).map(lambda names: tuple(sorted(names))),
        stop_signal=_TEXT,
    )
)
def test_what_is_written_is_read_back(start: Start) -> None:
    config = Config(Platform("linux", "amd64"), start)
    assert Config.loads(config.dump()) == config
