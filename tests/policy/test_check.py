"""The policy as people meet it: builds that it ends, ``distroless check`` of targets, layouts and archives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distroless_rules.oci import archive
from distroless_rules.oci.config import Start
from distroless_rules.oci.layout import images
from tests.support.command import Commands
from tests.support.image import directory, file, layout_of, symlink, tar

FILES = {
    "distroless.toml": '[workspace]\nname = "w"\ntoolchains = []\n',
    "BUILD": """
        load("@distroless_rules//rules:defs.bzl", "distroless_image", "files", "image_policy")

        files(name = "tool", srcs = {"/usr/bin/bash": "bash.sh"}, mode = "0755")
        files(name = "open", directories = ["/srv/open"], directory_mode = "0777")
        files(name = "own", srcs = {"/app/data": "data.txt"})

        distroless_image(name = "soft", allow_missing = ["/bin/true"], contents = [":tool", ":open"])

        distroless_image(
            name = "waived",
            allow_missing = ["/bin/true"], contents = [":tool", ":open"],
            policy = ":lenient",
            waive = {"shell:/usr/bin/bash": "people look at it from inside"},
        )

        distroless_image(name = "hard", contents = [":own"])

        image_policy(name = "lenient", waive = {"world-writable:/srv/*": "it is a mount point"})
        image_policy(name = "small", max_files = 1)
        image_policy(name = "wrong", waive = {"shels": "x"})
        """,
    "bash.sh": "#!/bin/true\n",
    "data.txt": "data\n",
}
TOKEN = "gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path_factory.mktemp("policy"), FILES)


def test_an_image_that_does_not_pass_is_not_built(commands: Commands) -> None:
    ran = commands.run("build", "//:soft")
    assert ran.status == 1
    assert ran.err.splitlines()[-5:] == [
        "distroless: BUILD:7: cannot let //:soft pass: 2 violations of the default policy",
        "  shell: /usr/bin/bash (//:tool) is a shell",
        "    leave out the deb or file that brings it; start the program itself in entrypoint",
        "  world-writable: /srv/open (//:open) may be written to by everybody (mode 0777)",
        '    give it a narrower mode; mend them, or give the image waive = {"shell": "<why>", '
        '"world-writable": "<why>"}; `distroless check //:soft` shows all',
    ]
    assert not (commands.root / "distroless-out/soft").exists()


def test_what_is_waived_is_built_with_its_results_beside_it(commands: Commands) -> None:
    assert commands.run("build", "//:waived").status == 0
    document = json.loads((commands.root / "distroless-out/waived.policy.json").read_bytes())
    assert (document["passes"], document["policy"], document["summary"]["waived"]) == (True, "//:lenient", 2)
    log = json.loads((commands.root / "distroless-out/waived.policy.sarif").read_bytes())
    result = next(each for each in log["runs"][0]["results"] if each["ruleId"] == "shell")
    assert result["suppressions"][0]["justification"] == "people look at it from inside"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 9}


def test_check_shows_a_table_and_ends_with_1(commands: Commands) -> None:
    ran = commands.run("check", "//:soft")
    assert ran.status == 1
    assert ran.out == (
        "//:soft does not pass the default policy: 2 errors, 0 warnings, 0 notes, 0 waived\n"
        "  error    shell           /usr/bin/bash is a shell  [//:tool]\n"
        "  error    world-writable  /srv/open may be written to by everybody (mode 0777)  [//:open]\n"
    )


def test_check_of_many_as_json(commands: Commands) -> None:
    ran = commands.run("check", "--format", "json", "//:all")
    assert ran.status == 1
    assert {row["image"]: row["passes"] for row in json.loads(ran.out)} == {
        "//:soft": False,
        "//:waived": True,
        "//:hard": True,
    }


def test_check_of_another_policy(commands: Commands) -> None:
    assert commands.run("check", "//:hard").status == 0
    ran = commands.run("check", "--policy", "//:small", "//:hard")
    assert ran.status == 1
    assert "file-budget" in ran.out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("//:own",), 2, "cannot check //:own: there is no image among these targets"),
        (("--policy=:own", "//:hard"), 2, 'cannot hold images to ":own": it is not an image_policy'),
        (("--policy=:wrong", "//:hard"), 2, 'cannot waive "shels": there is no check "shels"; did you mean "shell"?'),
        (("/nowhere/x.tar",), 2, "nowhere"),
    ],
)
def test_requests_that_are_wrong(commands: Commands, words: tuple[str, ...], status: int, message: str) -> None:
    ran = commands.run("check", *words)
    assert ran.status == status
    assert message in ran.err


def _foreign(folder: Path) -> Path:
    lower = tar(
        directory("app"),
        file("app/.env.local", f"TOKEN={TOKEN}\n".encode(), 0o600),
        directory("usr"),
        directory("usr/bin"),
        file("usr/bin/bash", b"#!/bin/x\n", 0o755),
        file("usr/bin/su", b"#!/bin/x\n", 0o4755),
        symlink("bin", "usr/bin"),
    )
    upper = tar(
        directory("app"), file("app/.wh..env.local"), directory("usr"), directory("usr/bin"), file("usr/bin/.wh.su")
    )
    return layout_of(folder / "image", [lower, upper], Start(env={"API_TOKEN": "V9xq2LmTz7"}))


def test_an_image_from_elsewhere_and_what_its_layers_hide(commands: Commands, tmp_path: Path) -> None:
    folder = _foreign(tmp_path)
    ran = commands.run("check", str(folder))
    assert ran.status == 1
    found = [line.split()[1:3] for line in ran.out.splitlines() if line.startswith("  error")]
    assert ["secret", "/app/.env.local:1"] in found
    assert ["config-secret", "env"] in found
    assert ["root-user", "user"] in found
    assert ["shell", "/usr/bin/bash"] in found
    assert not [each for each in found if each[0] == "setuid"], "a higher layer deletes it"
    assert "layer 0, and layer 1 only hides it" in ran.out
    assert TOKEN not in ran.out + ran.err


def test_archives_say_the_same_as_their_layout(commands: Commands, tmp_path: Path) -> None:
    folder = _foreign(tmp_path)
    assert len(list(images(folder))) == 1
    archive.write_docker(folder, tmp_path / "docker.tar", "x:latest")
    archive.write_oci(folder, tmp_path / "oci.tar")
    said = []
    for path in (folder, tmp_path / "docker.tar", tmp_path / "oci.tar"):
        ran = commands.run("check", "--format=json", str(path))
        assert ran.status == 1
        said.append(json.loads(ran.out)[0]["violations"])
    assert said[0] == said[1] == said[2]


def test_sarif_names_the_image_that_was_read(commands: Commands, tmp_path: Path) -> None:
    folder = _foreign(tmp_path)
    log = json.loads(commands.run("check", "--format=sarif", str(folder)).out)
    (place,) = {
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in log["runs"][0]["results"]
    }
    assert place == str(folder)
