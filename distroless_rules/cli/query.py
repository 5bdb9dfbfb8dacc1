"""``distroless query``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from distroless_rules.cli.common import Flags, note, open_here, options, print_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distroless_rules.targets.query import Node

__all__ = ["command", "quoted"]

_STAGES = {"all": ("build", "runtime"), "build": ("build",), "runtime": ("runtime",)}


@click.command()
@click.argument("words", metavar="EXPRESSION", nargs=-1, required=True)
@click.option(
    "--output",
    type=click.Choice(["label", "label_kind", "json", "dot"]),
    default="label",
    show_default=True,
    help="What is printed: labels, kinds and labels, JSON, or a graph for Graphviz.",
)
@click.option(
    "--stage",
    type=click.Choice(list(_STAGES)),
    default="all",
    show_default=True,
    help="The dependencies that are followed: those on build stages, those on what is in the image, or all.",
)
@options("platform", "define")
def command(flags: Flags, words: tuple[str, ...], output: str, stage: str) -> None:
    """Ask what targets there are and what they need.

    EXPRESSION is in Bazel's query language: patterns; + - ^; let; set(); deps, rdeps, somepath, allpaths, kind, attr,
    filter, labels and some. Quote it for the shell: distroless query 'deps(//app:image) - //lib/...'.
    """
    from distroless_rules.asking import ask
    from distroless_rules.targets.query import Question
    from distroless_rules.targets.query_syntax import parse

    project = open_here(flags)
    expression = parse(" ".join(words), project.folder)
    question = Question(expression, frozenset(_STAGES[stage]), flags.platform, flags.request(project, ()).define)
    answer = ask(project, question)
    print_messages(answer.messages)
    if answer.unlocked:
        note(_unlocked(len(answer.unlocked)))
    text = "\n".join(_lines(answer.nodes, output))
    if text:
        click.echo(text)


def _unlocked(count: int) -> str:
    if count == 1:
        return "1 deb is not in distroless.lock, so what it needs is not known; `distroless lock` adds it"
    return f"{count} debs are not in distroless.lock, so what they need is not known; `distroless lock` adds them"


def _lines(nodes: tuple[Node, ...], output: str) -> Iterator[str]:
    if output == "json":
        yield _json(nodes)
    elif output == "dot":
        yield from _dot(nodes)
    elif output == "label_kind":
        yield from (f"{node.kind} {node.label}" for node in nodes)
    else:
        yield from (node.label for node in nodes)


def _json(nodes: tuple[Node, ...]) -> str:
    import json

    rows = [
        {
            "label": node.label,
            "kind": node.kind,
            "location": node.at or None,
            "needs": [{"attribute": name, "stage": stage, "label": label} for name, stage, label in node.needs],
        }
        for node in nodes
    ]
    return json.dumps(rows, indent=2)


def _dot(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Draw the targets found, with an edge between two where one needs the other; dashed into a build stage."""
    found = {node.label for node in nodes}
    yield "digraph query {"
    yield "  node [shape=box];"
    for node in nodes:
        yield f"  {quoted(node.label)};"
    for node in nodes:
        for stage, label in dict.fromkeys((stage, label) for _, stage, label in node.needs):
            if label in found:
                style = " [style=dashed]" if stage == "build" else ""
                yield f"  {quoted(node.label)} -> {quoted(label)}{style};"
    yield "}"


def quoted(text: str) -> str:
    """Write a string as Graphviz reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
