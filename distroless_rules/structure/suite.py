"""A suite of tests, run: an image and a way to run its commands in, a line for each test out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from distroless_rules.errors import FormatError
from distroless_rules.structure import checks
from distroless_rules.structure.picture import Picture
from distroless_rules.structure.schema import CommandTest, Suite

__all__ = ["Container", "Output", "Result", "run"]


@dataclass(frozen=True, slots=True)
class Output:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


Container = Callable[[tuple[str, ...], Mapping[str, str]], Output]
"""Runs a command, which begins with the path of a program, with these variables."""


@dataclass(frozen=True, slots=True)
class Result:
    """A test: what it is called, what did not hold, and what it printed."""

    name: str
    faults: tuple[str, ...]
    printed: str = ""


def run(suite: Suite, image: Picture, containers: Callable[[], AbstractContextManager[Container]]) -> Iterator[Result]:
    """Run every test of a suite.

    Args:
        suite: the tests.
        image: what they look at.
        containers: gives what runs the commands of one test, one after another in the same files.
    """
    for command in suite.commands:
        with containers() as container:
            yield _command(command, suite, image, container)
    for existence in suite.existence:
        yield _checked(f"file existence: {existence.name}", checks.existence(existence, image))
    for content in suite.contents:
        yield _checked(f"file content: {content.name}", checks.contents(content, image))
    if suite.metadata is not None:
        yield _checked("metadata", checks.metadata(suite.metadata, image))
    for number, license_ in enumerate(suite.licenses, 1):
        yield _checked(f"licences {number}", checks.licenses(license_, image))


def _checked(name: str, faults: Iterator[str]) -> Result:
    try:
        return Result(name, tuple(faults))
    except FormatError as error:
        return Result(name, (str(error),))


def _command(test: CommandTest, suite: Suite, image: Picture, container: Container) -> Result:
    told = {each.key: image.expand(each.value) for each in (*suite.variables, *test.variables)}
    environment = {"HOME": image.home(), **image.start.env, **told}
    name = f"command: {test.name}"
    printed: list[str] = []

    def perform(words: tuple[str, ...]) -> Output:
        program = image.program(words[0], environment)
        if program is None:
            raise FormatError(f'run "{words[0]}"', "the image has no such program")
        output = container((program, *words[1:]), environment)
        printed.extend(text for text in (output.out, output.err) if text)
        return output

    try:
        for words in test.setup:
            perform(words)
        output = perform(tuple(image.expand(word) for word in (test.command, *test.args)))
        faults = tuple(_faults(test, output))
        for words in test.teardown:
            perform(words)
    except FormatError as error:
        faults = (str(error),)
    return Result(name, faults, "".join(printed))


def _faults(test: CommandTest, output: Output) -> Iterator[str]:
    yield from checks.compared("standard output", output.out, test.expected_output, test.excluded_output)
    yield from checks.compared("standard error", output.err, test.expected_error, test.excluded_error)
    if output.status != test.status:
        yield f"its exit status should be {test.status}, and is {output.status}"
