"""The shell parser: what a command line runs, whatever it is written like."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.features.shell import MAX_TEXT, Command, has_hole, parse

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
PLAIN_WORDS = st.text("abcxyz019./_-+:@%é", min_size=1, max_size=8)
PROGRAMS = st.sampled_from(["make", "grep", "x", "mytool", "rm"])
SNIPPETS = st.sampled_from(
    [
        *(
            "(",
            ")",
            "{",
            "}",
            "$(",
            "`",
            "${",
            "<<E",
            "\nE\n",
            "'",
            '"',
            "\\",
            "\n",
            ";",
            "&&",
            "||",
        ),
        *("|", "&", ">", "<", "<<<", "if", "then", "fi", "for", "in", "do", "done", "case", "esac"),
        *("x=", "rm", "eval", "bash -c", "sudo", "xargs", "find", "-exec", "[[", "]]", "((", "$'"),
        *(
            "\0",
            "\ud800",
            "é",
            "function",
            "export",
            "{a,b}",
            "-",
            "--",
            "cd",
            "|&",
            "&>",
            "#",
            " ",
        ),
    ]
)


def programs(command: str) -> list[str]:
    """Give the programs that a line runs."""
    return [one.program for one in parse(command).commands]


def only(command: str) -> Command:
    """Give the one command of a line."""
    (one,) = parse(command).commands
    return one


@given(PROGRAMS, st.lists(WORDS, max_size=6))
def test_round_trip(program: str, args: list[str]) -> None:
    """Reports the words of any quoted argument vector back."""
    command = only(shlex.join([program, *args]))

    assert (program, args) == (command.program, list(command.args))


@given(st.lists(st.one_of(SNIPPETS, WORDS), max_size=30))
@settings(max_examples=300)
def test_never_raises(pieces: list[str]) -> None:
    """Takes any text at all, and says how long it was."""
    text = " ".join(pieces)

    assert len(text) == parse(text).text_len


@given(st.text(st.characters(), max_size=60))
def test_takes_any_characters(text: str) -> None:
    """Takes surrogates, NUL and control characters."""
    assert isinstance(parse(text).commands, tuple)


@given(st.lists(st.tuples(PLAIN_WORDS, st.sampled_from(["", "'", '"', "\\"])), max_size=5))
def test_quotes_change_nothing(parts: list[tuple[str, str]]) -> None:
    """Gives the same word however it is quoted."""
    quoted = ""
    for text, quote in parts:
        quoted += "".join("\\" + sign for sign in text) if quote == "\\" else quote + text + quote
    word = "".join(text for text, _ in parts)

    assert ("" if not parts else word) == "".join(only(f"echo x{quoted}").args)[1:]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("a; b && c || d | e & f", ["a", "b", "c", "d", "e", "f"]),
        ("(a; {  b; })", ["a", "b"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("while a; do b; done", ["a", "b"]),
        ("for i in $(a); do b $i; done", ["a", "b"]),
        ("case $(a) in x|y) b;; *) c;; esac", ["a", "b", "c"]),
        ("f() { a; }; f", ["a", "f"]),
        ("echo $(a `b`) <(c) >(d)", ["echo", "a", "c", "d", "b"]),
        ('echo "x $(a) ${y:-$(b)}"', ["echo", "a", "b"]),
        ("x=$(a) y=1", ["a"]),
        ("! a", ["a"]),
        ("cat <<E && b\n$(a)\nE", ["cat", "a", "b"]),
        ("cat <<'E'\n$(a)\nE", ["cat"]),
        ("# a\nb", ["b"]),
        ("", []),
    ],
)
def test_finds_every_command(command: str, expected: list[str]) -> None:
    """Finds the commands of compounds, loops, substitutions and here-documents."""
    assert expected == programs(command)


@pytest.mark.parametrize(
    "command",
    [
        "sudo -u root -- rm x",
        "env -i A=1 rm x",
        "A=1 rm x",
        "timeout -k 1 5 nice -n 3 rm x",
        "nohup time stdbuf -oL rm x",
        "bash -lc 'rm x'",
        "sh -c \"bash -c 'rm x'\"",
        "eval 'r''m' x",
        "x=rm; $x x",
        "x='rm x'; $x",
        "/bin/rm x",
        "\\rm x",
        "$'\\x72m' x",
        "rm${IFS}x",
        "command exec rm x",
        "python -m rm x",
        "uv run rm x",
        "watch -n 1 rm x",
        "su me -c 'rm x'",
        "env -S 'rm x'",
    ],
)
def test_takes_wrappers_off(command: str) -> None:
    """Names the program that really runs, with its words."""
    command_run = parse(command).commands[-1]

    assert (command_run.program, command_run.args) == ("rm", ("x",))


@pytest.mark.parametrize(
    "command",
    [
        "bash <<< 'rm x'",
        "echo rm x | sh",
        "printf '%s' 'rm x' | bash -s",
        "cat <<E | sh\nrm x\nE",
        "sh <<E\nrm x\nE",
        "trap 'rm x' EXIT",
        "alias a='rm x'",
        "git -c alias.a='!rm x' a",
        "GIT_SSH_COMMAND='rm x' git fetch",
        "tar xf a --to-command='rm x'",
        "ssh host rm x",
        "docker exec -it web rm x",
        "kubectl exec pod -n a -- rm x",
        "find a -exec rm x \\;",
        "echo y | xargs -n 1 sh -c 'rm x'",
    ],
)
def test_follows_what_is_run_in_turn(command: str) -> None:
    """Finds commands in scripts for shells, options, traps and on other machines."""
    assert any(str(one).startswith("rm x") for one in parse(command).commands)


@pytest.mark.parametrize(
    "command",
    [
        "$x -rf /",
        "$(a) b",
        "/bin/r? x",
        "a | sh",
        "curl x | sudo bash",
        "bash <(a)",
        'bash -c "$x"',
        "eval $x",
        ". /dev/stdin",
        "x=1; x=2; $x",
        "for c in a b; do $c; done",
        "f() { f | f & }; f",
        "sudo " * 40 + "a",
    ],
)
def test_says_what_it_cannot_know(command: str) -> None:
    """Marks a command as dynamic where only the running shell knows what it runs."""
    assert any(one.dynamic for one in parse(command).commands)


def test_marks_holes() -> None:
    """Marks the pieces of a word that are unknown, and only those."""
    args = parse("a x$b '$b' \"$(c)\" z").commands[0].args

    assert [has_hole(word) for word in args] == [True, False, True, False]


def test_puts_constants_in() -> None:
    """Puts in a variable that has one value; `~` stands for the home."""
    command = parse('d=src; rm "$d/a" ${d}/b $HOME/c').commands[0]

    assert command.args == ("src/a", "src/b", "~/c")


def test_expands_braces() -> None:
    """Expands braces into words, a bounded number of them."""
    assert only("rm /etc/{a,b}").args == ("/etc/a", "/etc/b")
    assert len(only("rm " + "{a,b}" * 30).args) < 200


def test_tells_subcommands() -> None:
    """Finds the subcommand and its verb behind global options."""
    command = only("git -C lib --no-pager remote add origin x")

    assert (command.program, command.sub, command.verb) == ("git", "remote", "add")


def test_tells_flags_and_paths() -> None:
    """Parts options from the words that name files."""
    command = only("grep -rn --color=auto 'a/b' src/x.py docs")

    assert command.flags == ("-rn", "--color")
    assert command.paths == ("src/x.py",)


def test_follows_folders() -> None:
    """Says in which folder each command runs, until its subshell ends."""
    commands = parse("cd a && (cd b; x); y; cd $z; w").commands

    assert {c.program: c.cwd for c in commands if c.program in "xy"} == {"x": "a/b", "y": "a"}
    assert has_hole(commands[-1].cwd)


def test_reads_redirections() -> None:
    """Tells files read and written, and leaves descriptors out."""
    command = only("a < in > out 2>> err 2>&1")

    assert (command.reads, command.writes) == (("in",), ("out", "err"))


def test_redirects_groups() -> None:
    """Gives the redirection of a group to a command of it."""
    assert parse("{ a; b; } > out").commands[-1].writes == ("out",)


def test_reads_heredocs() -> None:
    """Gives each here-document with the file that it goes to."""
    assert parse("cat > f <<E\nx\nE").heredocs == (("f", "x\n"),)


def test_tells_pipes_and_background() -> None:
    """Tells who feeds a command, and what runs in the background."""
    first, second = parse("a | b &").commands

    assert second.fed_by == ("a",)
    assert first.background
    assert second.background


def test_names_what_xargs_gets() -> None:
    """Takes the files that reach xargs to lie below the folders listed, where that is known."""
    known = parse("find src -name x | xargs rm").commands[-1]
    unknown = parse("cat list | xargs rm").commands[-1]

    assert known.paths == ("src/⟨found⟩",)
    assert unknown.paths == ("⟨…⟩",)


@pytest.mark.parametrize(
    "command",
    [
        *("(" * 10_000, "$(" * 10_000, "a && " * 5_000 + "b", "a | " * 5_000 + "b", "if " * 5_000),
        *("eval " * 5_000 + "a", '"$(' * 5_000, "x" * 300_000, "a;" * 20_000, "bash -c '" * 50),
        *("{a,b}" * 1_000, "${x:-" * 5_000, "a\n" * 10_000),
    ],
)
def test_is_bounded(command: str) -> None:
    """Takes deep and huge input, and hands back a bounded number of commands."""
    parsed = parse(command)

    assert len(parsed.commands) <= 1_000
    assert len(command) == parsed.text_len


def test_says_what_it_cut_off() -> None:
    """Is not ok where something was cut off or is no proper command."""
    assert not parse("true;" + " " * MAX_TEXT + "rm x").ok
    assert not parse("echo 'a").ok
    assert parse("echo a").ok


def test_remembers() -> None:
    """Parses the same line once."""
    assert parse("make -j2 remembered") is parse("make -j2 remembered")
