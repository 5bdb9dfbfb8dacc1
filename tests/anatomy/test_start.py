"""How an image is started without a shell: entrypoint and cmd in, the program's own words and what was changed out."""

from __future__ import annotations

import pytest

from distroless_rules.anatomy.start import begin
from distroless_rules.oci.config import Start

SCRIPTS = {"run": ("/usr/local/bin/run", "/usr/bin/env python3"), "plain": ("/usr/local/bin/plain", "/usr/bin/python3")}


def begun(*words: str, env: dict[str, str] | None = None, workdir: str = "") -> tuple[str, str, str]:
    """Give the words, the folder and the notes."""
    start = Start(words, env=env or {}, workdir=workdir)
    found = begin(start, lambda word: SCRIPTS.get(word, ("", "")))
    return " ".join(found.words), found.start.workdir, "; ".join(found.notes)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python3 app.py", "python3 app.py"),
        ("exec python3 app.py --port 80", "python3 app.py --port 80"),
        ('python3 "a file.py"', "python3 a file.py"),
        ("nginx -g 'daemon off;'", "nginx -g daemon off;"),
        ("serve --port $PORT --host ${HOST}", "serve --port 8080 --host 0.0.0.0"),
        ("  exec   /srv/run  ", "/srv/run"),
    ],
)
def test_a_simple_command_becomes_its_words(line: str, words: str) -> None:
    found, _, notes = begun("/bin/sh", "-c", line, env={"PORT": "8080", "HOST": "0.0.0.0"})
    assert found == words
    assert "became the words of its program" in notes


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a && b", "more than one simple command"),
        ("a | b", "more than one simple command"),
        ("a > /log", "more than one simple command"),
        ("python3 $(cat name)", "more than one simple command"),
        ("python3 *.py", "more than one simple command"),
        ("python3 ~/app.py", "more than one simple command"),
        ("python3 --port $UNSET", "it reads the variable UNSET"),
        ("python3 --name $WORDS", "it reads the variable WORDS"),
        ("source /etc/env", "source is a command of the shell itself"),
        ("export A=1", "export is a command of the shell itself"),
        ("A=1", "it names no program"),
        ("", "it names no program"),
        ("python3 'app.py", "it cannot be read"),
        ('python3 "$(id)"', "more than one simple command"),
    ],
)
def test_what_only_a_shell_understands_keeps_the_shell(line: str, why: str) -> None:
    found, _, notes = begun("/bin/sh", "-c", line, env={"WORDS": "two words"})
    assert found == f"/bin/sh -c {line}"
    assert why in notes


def test_variables_and_a_folder_before_the_command() -> None:
    assert begun("sh", "-c", "cd app && A=1 python3 x.py", workdir="/srv")[:2] == ("python3 x.py", "/srv/app")
    start = begin(Start(("sh", "-c", "A=1 B=2 run2")), lambda word: ("", "")).start
    assert start.env == {"A": "1", "B": "2"}
    assert start.entrypoint == ("run2",)


def test_an_interpreter_takes_the_place_of_env() -> None:
    assert begun("run", "--fast")[0] == "python3 /usr/local/bin/run --fast"
    assert begun("plain", "--fast")[0] == "plain --fast"


def test_a_shell_for_people_and_nothing_at_all() -> None:
    assert begun("bash")[0] == ""
    assert "nothing says what its program is" in begun("/bin/bash")[2]
    assert "starts nothing" in begun()[2]
