"""Scripts as text in, the commands that could run as text out, in bounded time whatever the text is."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distroless_rules.errors import FormatError
from tests.support.scripts import follow, shown

COMMANDS = {
    # Whoever runs another command, that is the one that is told of.
    "eval mkdir /a": "mkdir /a",
    'eval "mkdir $x"; eval "rm $(b)"': "mkdir\nb\neval ?",
    "command rm -rf /usr; command -p rm /a": "rm -rf /usr\nrm /a",
    "exec rm /a; rm /b": "rm /a",
    "exec >/a 2>&1; b": "exec > /a\nb",
    "rm() { :; }; command rm /a; rm /b": "rm /a",
    "command -v a && b": "b",
    "trap 'rm /a' EXIT INT; trap - EXIT; trap '' HUP": "rm /a",
    'trap "rm $(a)" 0': "a\ntrap ? 0",
    "trap 'rm /a' INT": "",
    "f() { rm /a; }; trap f EXIT": "rm /a",
    "(a; exit; b); c": "a\nc",
    "a | b && c": "a\nb\nc",
    "a & b": "a\nb",
    "/usr/bin/env a": "/usr/bin/env a",
    "$x; $(a)": "a\n?",
    # Output that goes to a file.
    "a > /b": "a > /b",
    "a >> /b 2>/c": "a >> /b >2 /c",
    "a >/dev/null 2>&1 </b": "a",
    "> /b": ": > /b",
    ": > /b": ": > /b",
    "[ a ] > /b": ": > /b",
    'a > "$(b)"': "b\na > ?",
    "{ a; } > /b": "(...) > /b\na",
    "if a; then b; fi >> /c": "(...) >> /c\na\nb",
    "f() { a; }; f > /b": "(...) > /b\na",
    "while a; do b; done > /c": "(...) > /c\na\nb\na\nb",
    "set > /a": "(...) > /a",
    "command -v a > /b": "(...) > /b",
    "a <> /b": "a >>0 /b",
    "a >| /b; c &> /d": "a > /b\nc > /d",
    "cat > /a <<E\nb $x $1\nE": "cat > /a 'b  configure\\n'",
    "cat > /a <<'E'\nb $x \"c\"\nE": "cat > /a 'b $x \"c\"\\n'",
    "cat > /a <<E\n$(b)\nE": "b\ncat > /a",
    'cat <<-E > /a\n\t\tb \\$c "d"\n\tE': "cat > /a 'b $c \"d\"\\n'",
    # Substitutions run wherever they stand.
    "x=$(a); y=`b`": "a\nb",
    "x=${y:-$(a)}": "a",
    "x=$(( $(a) + 1 ))": "a",
    "echo $((a); b)": "a\nb\necho ?",
    "for i in $(a); do b; done": "a\nb\nb\nb",
    "case $(a) in $(b)) c;; esac": "a\nb\nc",
    'local x=$(a); export y="$(b)"': "a\nb",
    '[ -n "$(a)" ] && b': "a\nb",
    # What is not known: both ways, and no value that depends on it.
    "if a; then b; else c; fi": "a\nb\nc",
    "if a; then b; elif true; then c; else d; fi; e": "a\nb\nc\ne",
    "a && exit 0; b": "a\nb",
    "if a; then x=1; else x=2; fi; b $x": "a\nb ?",
    'x=1; a || x=2; b "$x"': "a\nb ?",
    'local x=$(a); [ -n "$x" ] && b': "a\nb",
    'db_get a/b; if [ "$RET" = true ]; then c; fi': "db_get a/b\nc",
    ". /usr/share/debconf/confmodule; db_get a; b $RET; c $x": ". /usr/share/debconf/confmodule\ndb_get a\nb ?\nc",
    '. /a; b "$x"': ". /a\nb ?",
    "read x y; a $x": "a ?",
    'a | while read x; do b "$x"; done': "a\nb ?\nb ?",
    "i=1; while a; do b $i; i=$((i+1)); done": "a\nb 1\na\nb ?",
    "for i in a b; do c && break; x=$i; done; d $x": "c\nc\nd ?",
    "for i in a b; do [ $i = b ] || continue; c $i; break; done": "c b",
    "for i in a; do for j in b c; do d $j; continue 2; done; e; done": "d b",
    "f() { x=1; a && return; x=2; }; f; b $x": "a\nb ?",
    "a && f() { b; }; f": "a\nf\nb",
    "if a; then f() { b; }; else f() { c; }; fi; f": "a\nf\nb\nc",
    'a && shift; b "$1"': "a\nb ?",
    'a $HOME "$PATH" $LC_ALL': "a ? ? ?",
    "a /b/{c,d} ~/e": "a ? ?",
    "x='b c'; a /$x": "a /b c",
    'x=/b/*; a $x "$x"': "a /b/* /b/*",
    "case $(a) in b) c;; d) e;; esac": "a\nc\ne",
    "case a in $(b)) c;; a) d;; *) e;; esac": "b\nc\nd",
    'set -- $(a); b "$1"': "a\nb ?",
    "unset -f f; umask 077; umask 022; getopts ab o": "unset -f f\numask 077",
    # What is known.
    "a $(dpkg --print-architecture)": "dpkg --print-architecture\na amd64",
    "a $(mktemp) $(mktemp -d)/b": "mktemp\nmktemp -d\na /tmp/.scratch /tmp/.scratch/b",
    'if dpkg --compare-versions "$2" lt 2; then a; fi': "dpkg --compare-versions [] lt 2\na",
    'if dpkg --compare-versions "$2" lt-nl 2; then a; fi': "dpkg --compare-versions [] lt-nl 2",
    "a ${DPKG_MAINTSCRIPT_ARCH:+x}": "a x",
}


@pytest.mark.parametrize("script", COMMANDS)
def test_commands_that_could_run(script: str) -> None:
    assert shown(script) == COMMANDS[script]


def test_the_image_answers_questions() -> None:
    script = "[ -e /a ] && b; [ -d /c ] || d; if [ ! -x /e ]; then f; fi; command -v g >/dev/null && h"
    assert shown(script) == "b\nd\nf\nh"
    assert shown(script, {"-e /a": False, "-d /c": True, "-x /e": True, "command g": False}) == ""
    assert shown(script, {"-e /a": True, "-d /c": False, "-x /e": False, "command g": True}) == "b\nd\nf\nh"


def test_commands_have_their_lines() -> None:
    script = "a\n\nif true; then\n  b \\\n    c\nfi\n{ cat <<E; }\nx\ny\nE\nd\n"
    assert [(command.line, command.text) for command in follow(script)] == [
        (1, "a"),
        (4, "b c"),
        (7, "cat <<E"),
        (11, "d"),
    ]


SIGNS = st.sampled_from(
    (
        *("if", "then", "elif", "else", "fi", "case", "in", "esac", "for", "do", "done", "while", "until", "{", "}"),
        *("(", ")", ";", ";;", "&", "&&", "|", "||", "!", "b=c", "$x", "${x", "${x:-y}", "$(", "$((", "`", "'", '"'),
        *("\\", "<", ">", ">>", "<<", "<<E", "E", "2>&1", "#", "*", "?", "[", "]", "f()", "eval", "local", "break"),
        *("exit", "return", "set", "--", "shift", "trap", "EXIT", "$@", "$1", "é", "\n", "\0", " "),
    )
)


@settings(max_examples=500, deadline=None)
@given(st.lists(SIGNS, max_size=40).map(" ".join) | st.lists(SIGNS, max_size=40).map("".join) | st.text(max_size=60))
@example("f() { f; f; }; f")
@example("eval eval eval '$('")
def test_any_text_is_followed_or_refused(text: str) -> None:
    with suppress(FormatError):
        follow(text)


LONG = 200_000
HOSTILE = {
    "words": "a " * (LONG // 2),
    "lines": "a\n" * (LONG // 2),
    "assignments": "".join(f"a{n}=b\n" for n in range(LONG // 8)),
    "doubling": "a=bbbbbbbb\n" + 'a="$a$a"\n' * 1000,
    "many long values": "a=" + "b" * 100_000 + "\n" + "".join(f"c{n}=$a\n" for n in range(10_000)),
    "functions that call themselves": "f() { f; f; }; f",
    "functions that call each other": "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; }}\n" for n in range(90)) + "f0",
    "loops in loops": "for a in 1 2 3 4 5 6 7 8 9; do " * 30 + "b" + "; done" * 30,
    "many times": "set -- " + "a " * 50_000 + "\nfor a; do for b; do c; done; done",
    "eval of eval": 'a=\'eval "$a"\'; eval "$a"',
    "doubtful choices": "if a; then b=$b$b; fi\n" * 8000,
    "many arms": "case $(a) in " + "b) c;; " * 20_000 + "esac",
    "many elifs": "if a; then b; " + "elif c; then d; " * 10_000 + "fi",
    "many ors": "a " + "|| b " * 40_000,
    "many pipes": "a " + "| b " * 40_000,
    "exclamations": "! " * 100_000 + "a",
    "patterns": "a=" + "a" * 500 + "\n" + "b=${a##*a*a*a*a*a*a*a*b}\n" * 5000,
    "documents": "cat " + "<<a " * 40_000,
    "documents with documents": "cat <<a\n" * 20_000,
    "ifs": "if a; then " * 20_000,
    "brackets": "(" * 100_000,
    "braces": "{ " * 100_000,
    "substitutions": "$(" * 100_000,
    "closed substitutions": "a" + "$(a" * 18 + ")" * 18,
    "quoted substitutions": '"$(' * 50_000,
    "backquotes": "`" * 100_001,
    "escaped backquotes": "`" + "\\" * 100_000,
    "expansions": "${a:-" * 50_000,
    "quoted expansions": '"${a:-' * 40_000,
    "closed expansions": "a " + "${a:-b" * 35 + "}" * 35,
    "arithmetic": "$((" * 50_000,
    "quotes": "'" * 100_001,
    "function of function": "f() " * 50_000,
    "cases": "case a in b) " * 15_000,
    "redirections": "a " + ">b " * 60_000,
    "far too long": "a\n" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_bounded(name: str) -> None:
    start = time.process_time()
    with suppress(FormatError):
        follow(HOSTILE[name])
    assert time.process_time() - start < 5  # measured 1.3 at most


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("a\nb; ;", "cannot read line 2 of a script: a command is missing"),
        ("a\n(b) c", 'cannot read line 2 of a script: "c" does not belong there'),
        ("if a; then", "cannot read line 1 of a script: a command is missing"),
        ("a 'b", "cannot read line 1 of a script: a quote is not closed"),
        ("$(" * 50, "cannot read line 1 of a script: it is nested more than 40 deep"),
        ("a\n" * 200_000, "cannot read a script: it is larger than 262144 characters"),
        ("f() { f; }; f", "cannot follow a script: it is nested more than 100 deep"),
        (
            "set -- " + "a " * 1000 + "; for a; do for b; do c; done; done",
            "cannot follow a script: it has not ended after 50000 steps",
        ),
    ],
)
def test_what_is_refused_is_named(script: str, error: str) -> None:
    with pytest.raises(FormatError) as raised:
        follow(script)
    assert str(raised.value) == error
