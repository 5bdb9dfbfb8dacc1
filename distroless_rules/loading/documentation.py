"""What ``.bzl`` files offer, for people: files in, Markdown of their rules, providers and macros out."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator

from distroless_rules.errors import LoadError
from distroless_rules.loading.attributes import Attribute
from distroless_rules.loading.loader import Loader
from distroless_rules.loading.package import Provider, Rule
from distroless_rules.values.label import Label

__all__ = ["page"]

_PUBLIC = re.compile(r"^([A-Za-z]\w*)[ \t]*=(?!=)", re.MULTILINE)
_TYPES = {
    "bool": "bool",
    "int": "int",
    "int_list": "list of int",
    "label": "label",
    "label_keyed_string_dict": "dict from labels to strings",
    "label_list": "list of labels",
    "output": "file name",
    "output_list": "list of file names",
    "string": "string",
    "string_dict": "dict of strings",
    "string_keyed_label_dict": "dict from strings to labels",
    "string_list": "list of strings",
    "string_list_dict": "dict of lists of strings",
}


def page(loader: Loader, labels: Iterable[Label]) -> str:
    """Describe what files offer, in the order of names.

    Args:
        loader: the workspace's.
        labels: of ``.bzl`` files; what they give on from files that they load is theirs too.

    Raises:
        LoadError: if a file is not there or fails.
    """
    rules: dict[str, Rule] = {}
    providers: dict[str, Provider] = {}
    macros: dict[str, tuple[Label, ast.FunctionDef]] = {}
    for label in labels:
        loader.module(label)
        text = loader.files_of(label.repo).read(label.path) or ""
        public = set(_PUBLIC.findall(text))
        rules |= {rule.name: rule for rule in loader.rules if rule.name in public}
        providers |= {each.name: each for each in loader.providers if each.name in public}
        macros |= {function.name: (label, function) for function in _functions(text, label)}
    parts = [f"## {name}\n\n{_rule(rules[name])}" for name in sorted(rules)]
    parts += [f"## {name}\n\n{_macro(*macros[name])}" for name in sorted(macros)]
    parts += [f"## {name}\n\n{_provider(providers[name])}" for name in sorted(providers)]
    return "\n".join(parts)


def _functions(text: str, label: Label) -> Iterator[ast.FunctionDef]:
    """Give the public functions of a file that have a docstring; Starlark is a part of Python's grammar."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise LoadError(f"describe {label}", f"it is not Starlark as Python reads it: {error}") from error
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and ast.get_docstring(node):
            yield node


def _rule(rule: Rule) -> str:
    lines = [rule.doc, ""]
    if rule.attributes:
        lines += ["| attribute | type | default | |", "|---|---|---|---|"]
        for name, attribute in rule.attributes.items():
            if not name.startswith("_"):
                cells = (f"`{name}`", _TYPES[attribute.type], _default(attribute), attribute.doc)
                lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _default(attribute: Attribute) -> str:
    if attribute.mandatory:
        return "mandatory"
    value = attribute.default
    if value in (None, "", [], {}):
        return ""
    return f"`{value}`" if isinstance(value, bool) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _provider(provider: Provider) -> str:
    lines = [provider.doc, "", "| field | |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(doc)} |" for name, doc in provider.fields.items()]
    return "\n".join([*lines, ""])


def _macro(label: Label, function: ast.FunctionDef) -> str:
    """Describe a macro from its docstring, in the form of Google's style guide."""
    doc = inspect.cleandoc(ast.get_docstring(function) or "")
    text, _, rest = doc.partition("\nArgs:\n")
    rows = [row.strip() for row in rest.partition("\n\n")[0].splitlines()]
    lines = [text.strip(), "", f'A macro: `load("{label}", "{function.name}")`.', ""]
    if rows:
        lines += ["| argument | |", "|---|---|"]
        for row in rows:
            name, colon, said = row.partition(": ")
            if colon and " " not in name:
                lines.append(f"| `{name}` | {_cell(said)} |")
            else:
                lines[-1] = f"{lines[-1].removesuffix(' |')} {_cell(row)} |"
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
