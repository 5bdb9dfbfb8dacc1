"""Scripts as text in; what is a script, and which commands run with which words, is what real shells say."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from distroless_rules.deb.effects.shell_parse import parse
from distroless_rules.errors import FormatError
from tests.support.scripts import follow, shown

SNIPPETS = Path(__file__).with_name("snippets.txt").read_text("utf-8").removesuffix("\n").split("\n%%\n")
# Where dash says otherwise, and why.
OTHERWISE = {
    "f() a": "a function without brackets is reported, nobody writes it",
    "f() g() a": "likewise",
    "f() if a; then b; fi": "likewise",
    "a() b": "likewise",
    "in": "it is taken for a command, and that is reported",
    "in a": "likewise",
    "$((a); (b))": "bash reads a substitution that begins with a bracket",
    "x=$((a) | b)": "likewise",
    "i\\\nf a; then b; fi": "a reserved word that a line break splits is reported",
    "cat <<EOF\n`a\nEOF\nb`": "a substitution that reaches out of a here-document is reported",
}


def accepts(script: str) -> bool:
    try:
        parse(script)
    except FormatError:
        return False
    return True


@pytest.mark.skipif(not shutil.which("dash"), reason="it asks dash")
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_what_dash_accepts_is_a_script_and_nothing_else(snippet: str) -> None:
    run = subprocess.run(["dash", "-n"], input=f"{snippet}\n", capture_output=True, text=True, check=False)
    assert accepts(f"{snippet}\n") is ((run.returncode == 0) is not (snippet in OTHERWISE))


@pytest.mark.skipif(not shutil.which("bash"), reason="it asks bash")
@pytest.mark.parametrize("snippet", ["x=$((a) | b)", "$((a); (b))", "f( ) { a; }", "a &> f", "if (a) then b; fi"])
def test_what_bash_accepts(snippet: str) -> None:
    assert subprocess.run(["bash", "-n"], input=snippet, text=True, capture_output=True, check=False).returncode == 0
    assert accepts(snippet)


@pytest.mark.parametrize(
    "snippet", ["a <<< b", "a <(b)", "a=(b c)", "${a/b/c", "select a in b; do c; done", "((i=0))x"]
)
def test_what_only_bash_knows_is_refused_or_followed_as_a_command(snippet: str) -> None:
    assert not accepts(snippet) or shown(snippet)


WORDS = [
    ("probe a b", "a|b"),
    ("probe 'a b' c\"d e\"f", "a b|cd ef"),
    ("probe \"it's\" 'say \"hi\"' \\'", "it's|say \"hi\"|'"),
    ('probe "a\\"b\\\\c\\$d\\`e\\f"', 'a"b\\c$d`e\\f'),
    ("probe a\\ b\\;c", "a b;c"),
    ("probe '' \"\" ''\"\"", "||"),
    ("probe a\\\nb", "ab"),
    ('probe "a\\\nb"', "ab"),
    ("probe 'a\\\nb'", "a\\\nb"),
    ("probe a#b # c", "a#b"),
    ("x='a  b'; probe $x \"$x\"", "a|b|a  b"),
    ('x=; probe $x "$x" ${x}', ""),
    ('set -- a \'b c\'; probe "$@" $# "$1" $2', "a|b c|2|a|b|c"),
    ("set -- a b c; shift; probe $* $#; shift 2; probe $#", "b|c|2\n0"),
    ('probe ${x-a} "${x:-b c}" ${x+d} "${y:=e}" $y', "a|b c|e|e"),
    ("x=1; probe ${x-a} ${x:+b} ${x:-c}", "1|b|1"),
    ('probe "${x:-it\'s}" "${x:-"}"}" "${x:-\\}}"', "it's|}|}"),
    ("x=/a/b/c.d.e; probe ${x##*/} ${x#*/} ${x%.*} ${x%%.*} ${#x}", "c.d.e|a/b/c.d.e|/a/b/c.d|/a/b/c|10"),
    ('x=\'a*b*c\'; probe "${x#"a*"}" "${x#a*}" "${x%\'*\'*}"', "b*c|*b*c|a*b"),
    ('probe $(echo a) `echo b` $(basename /c/d) "$(dirname /e/f/g)"', "a|b|d|/e/f"),
    ('f() { local x=2; probe $x "$1"; }; x=1; f a; probe $x', "2|a\n1"),
    ("x=a; (x=b; probe $x); probe $x; { x=c; }; probe $x", "b\na\nc"),
    ("x=a; echo | x=b; probe $x", "a"),
    ('x=a probe $x; probe "$x"', "\n"),
    ('f() { probe $x; }; x=a f; probe "$x"', "a\n"),
    ("eval 'probe a; x=b'; probe $x", "a\nb"),
    ("command probe2 a; probe b; exec true; probe c", "b"),
    ("trap 'probe end' EXIT; probe a", "end\na"),
    ("for i in a 'b c' d; do probe \"$i\"; done", "a\nb c\nd"),
    ("set -- x y; for i; do probe $i; done", "x\ny"),
    ("case abc in a?d) probe 1;; a*) probe 2;; *) probe 3;; esac", "2"),
    ("case 'a*' in \"a*\") probe 1;; a*) probe 2;; esac", "1"),
    ("case ab in 'a*') probe 1;; a[!c]) probe 2;; esac", "2"),
    ("x='a*'; case abc in \"$x\") probe 1;; $x) probe 2;; esac", "2"),
    ("if [ a = b ]; then probe 1; elif [ -n x ]; then probe 2; else probe 3; fi", "2"),
    ("[ a = a ] || probe 1; ! false && probe 2; true && ! true || probe 3; false || : && probe 4", "2\n3\n4"),
    ("[ -z '' -a x != y ] && probe 1; [ a = b -o 1 -lt 2 ] && probe 2; [ ! a = b ] && probe 3", "1\n2\n3"),
    ('[ "$1" = configure ] && [ -z "$2" ] && probe 1; [ $# -eq 2 ] && probe 2', "1\n2"),
    ("f() { return 1; probe 1; }; f; probe 2; exit 0; probe 3", "2"),
    ('unset x; x=1; unset x; probe "${x-unset}"; x=; probe "${x-unset}"', "unset\n"),
    ("export a=1 b='2 3'; readonly c=4; probe $a \"$b\" $c", "1|2 3|4"),
]


@pytest.mark.parametrize(("script", "expected"), WORDS)
def test_words_are_what_dash_makes_of_them(script: str, expected: str) -> None:
    assert probed(script) == expected
    if shutil.which("dash") and "trap" not in script:  # a trap may run at once, so it is told where it is set
        assert real(script) == expected


def probed(script: str) -> str:
    rows = [command.words[1:] for command in follow(script) if command.words[0] == "probe"]
    return "\n".join("|".join("?" if word is None else word for word in row) for row in rows)


def real(script: str) -> str:
    """Give what dash passes to the probes."""
    head = "probe() { s=; for w; do printf '%s%s' \"$s\" \"$w\"; s='|'; done; printf '\\n'; }\n"
    command = ["dash", "-c", f"{head}{script}", "postinst", "configure", ""]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    return run.stdout.removesuffix("\n")


class Writer:
    """Writes scripts at random whose every condition can be decided.

    Args:
        draw: gives a value of a strategy.
        signs: what words are made of.
    """

    def __init__(self, draw: Callable[[SearchStrategy[Any]], Any], signs: str) -> None:
        self.draw = draw
        self.signs = signs

    def one(self, *choices: str) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def text(self, signs: str = "") -> str:
        return str(self.draw(st.text(st.sampled_from(signs or self.signs), max_size=4)))

    def name(self) -> str:
        return self.one("a", "b", "x1")

    def word(self, depth: int = 2) -> str:
        kind = self.one("bare", "single", "double", "name", "expansion", "joined")
        if kind == "single":
            return "'" + self.text().replace("'", "'\\''") + "'"
        if kind == "double":
            return '"' + re.sub(r'[\\"$`]', r"\\\g<0>", self.text()) + '"'
        if kind == "name":
            return self.one(f'"${self.name()}"', f"${self.name()}", '"$#"', '"$1"')
        if kind == "expansion" and depth:
            return f'"${{{self.name()}{self.operand()}}}"'
        if kind == "joined" and depth:
            return self.word(depth - 1) + self.word(depth - 1)
        return self.text("ab/é.") or "a"

    def operand(self) -> str:
        if self.one("value", "pattern") == "value":  # between double quotes, where single quotes mean themselves
            text = re.sub(r'[\\"$`}]', r"\\\g<0>", self.text())
            return self.one(":-", "-", ":+", "+", ":=", "=") + self.one(text, '"b c"', f"${self.name()}", "it's")
        text = self.text("ab/.é*?")
        return self.one("#", "##", "%", "%%") + self.one(text, f"'{text}'", f'"{text}"', f"${self.name()}")

    def test(self) -> str:
        a, b = self.quoted(), self.quoted()
        return self.one(f"[ {a} = {b} ]", f"[ {a} != {b} ]", f"test -n {a}", f"[ -z {a} ]", f"! [ -n {b} ]", "true")

    def quoted(self) -> str:
        return self.one(f'"{self.text("ab/")}"', f'"${self.name()}"', '"$2"')

    def script(self, depth: int = 3) -> str:
        return self.one("; ", "\n").join(self.command(depth) for _ in range(self.draw(st.integers(1, 3))))

    def command(self, depth: int) -> str:
        simple = ("probe", "probe", "set", "positional", "shift", "unset", "export")
        compound = ("if", "case", "for", "and", "subshell", "group", "function", "eval", "elif")
        kind = self.one(*simple, *(compound if depth else ()))
        return self.compound(kind, self.script(depth - 1)) if kind in compound else self.simple(kind)

    def words(self) -> str:
        return " ".join(self.word() for _ in range(self.draw(st.integers(0, 3))))

    def simple(self, kind: str) -> str:
        if kind in ("probe", "positional"):
            return f"{'probe' if kind == 'probe' else 'set --'} {self.words()}"
        if kind == "shift":
            return '[ "$#" = 0 ] || shift'
        return f"unset {self.name()}" if kind == "unset" else self.assignment(kind)

    def assignment(self, kind: str) -> str:
        return f"{self.name()}={self.word()}" if kind == "set" else f"export {self.name()}={self.quoted()}"

    def compound(self, kind: str, inner: str) -> str:
        if kind == "if":
            return f"if {self.test()}; then {inner}; else {self.command(0)}; fi"
        if kind == "elif":
            return f"if {self.test()}; then :; elif {self.test()}\nthen {inner}; fi"
        if kind == "case":
            return f"case {self.quoted()} in {self.quoted()}|a*) {inner};; *) {self.command(0)} ;; esac"
        if kind == "for":
            return f"for {self.name()} in {self.words()}; do {inner}; done"
        if kind == "and":
            return f"{self.test()} {self.one('&&', '||')} {{ {inner}; }}"
        if kind == "function":
            return f"f() {{ local {self.name()}=l; {inner}; }}; {self.one('', 'b=p ')}f {self.words()}"
        return {"subshell": f"( {inner} )", "group": f"{{ {inner}; }}", "eval": f"eval {shlex.quote(inner)}"}[kind]


@st.composite
def scripts(draw: Callable[[SearchStrategy[Any]], Any], signs: str) -> str:
    return Writer(draw, signs).script()


def told(script: str) -> tuple[list[list[str | None]], list[list[str | None]]]:
    """Give the probes that are told of, and those that dash does."""
    ours = [list(command.words[1:]) for command in follow(script, arguments="") if command.words[0] == "probe"]
    head = 'probe() { printf \'%s\\0\' "$#" "$@"; }\n'
    command = ["dash", "-f", "-c", f"{head}{script}"]  # no pattern is a path here
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    assert "yntax" not in run.stderr, run.stderr
    words = iter(run.stdout.removesuffix("\0").split("\0") if run.stdout else ())
    return ours, [[next(words) for _ in range(int(count))] for count in words]


@pytest.mark.skipif(not shutil.which("dash"), reason="it asks dash")
@settings(max_examples=300, deadline=None)
@given(scripts("ab/.é '\"\\$`;&|<>#%=\n"))
@example("for x in ' ' ' b' 'c d\\te '; do probe a a$x a; probe $x$x\"$x\"; done")
def test_commands_are_those_that_dash_runs(script: str) -> None:
    ours, theirs = told(script)
    assert ours == theirs


@pytest.mark.skipif(not shutil.which("dash"), reason="it asks dash")
@settings(max_examples=300, deadline=None)
@given(scripts("ab/ *?[]!{},~-()\\'\"$"))
def test_no_command_that_dash_runs_is_missed(script: str) -> None:
    """What is not known may be anything, and more may be told of than is done."""
    ours, theirs = told(script)
    rest = iter(ours)
    for row in theirs:
        assert any(None in mine or mine == row for mine in rest), row
