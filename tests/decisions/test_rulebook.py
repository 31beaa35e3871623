"""The rulebook: nothing dangerous slips through, nothing harmless is stopped, and it explains."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import SettingsError
from onward.data.events import Call
from onward.decisions.reversibility import classify
from onward.decisions.rulebook import Rulebook, Ruling
from onward.features.shell import parse

CORPUS = tomllib.loads((Path(__file__).parent / "evasions.toml").read_text("utf-8"))
DANGEROUS = [command for group in CORPUS["dangerous"].values() for command in group]
HARMLESS = [command for group in CORPUS["harmless"].values() for command in group]
VECTORS = st.sampled_from(
    [
        *(["rm", "-rf", "/"], ["rm", "-r", "build"], ["git", "push", "--force"], ["ls", "-l"]),
        *(["git", "reset", "--hard"], ["cat", ".env"], ["curl", "-d", "x", "https://a.example"]),
        *(["chmod", "-R", "777", "/"], ["npm", "publish"], ["kill", "1"], ["echo", "rm -rf /"]),
        *(["grep", "-r", "sudo", "docs"], ["terraform", "apply"], ["pytest", "-q"]),
        *(["find", "/", "-delete"], ["dd", "of=/dev/sda"], ["git", "commit", "-m", "drop table"]),
    ]
)
PREFIXES = st.sampled_from(
    [
        *("sudo {}", "env A=1 {}", "A=1 {}", "timeout 5 {}", "time {}", "command {}", "exec {}"),
        *("nice -n 5 {}", "nohup {}", "xargs {}", "watch {q}", "bash -c {q}", "eval {q}"),
    ]
)
COMPOUNDS = st.sampled_from(
    [
        *("( {} )", "{{ {}; }}", "true && {}", "true; {}", "false || {}", "ls | {}", "{} &"),
        *("echo $( {} )", "if true; then {}; fi", "bash -c {q}", "sh -lc {q}", "eval {q}", "! {}"),
        *("echo {q} | sh", "bash <<'E'\n{}\nE", "f() {{ {}; }}; f", "cat <(ls; {})"),
        *("for i in 1; do {}; done", "x=$( {} )", "trap {q} EXIT", "case a in *) {};; esac"),
    ]
)


def judge(command: str, book: Rulebook | None = None, cwd: str = "/code/app") -> Ruling:
    """Give what the bundled rules say of a command line in a project."""
    call = Call(session="s", tool="Bash", input={"command": command}, cwd=cwd)
    return (book or Rulebook.bundled()).judge(call, parse(command))


def judge_tool(tool: str, **given: object) -> Ruling:
    """Give what the bundled rules say of a tool's call."""
    call = Call(session="s", tool=tool, input=given, cwd="/code/app")
    return Rulebook.bundled().judge(call, None)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Give the place of a user's rules."""
    return tmp_path / "rules.toml"


@pytest.mark.parametrize("command", DANGEROUS)
def test_lets_nothing_through(command: str) -> None:
    """Asks about or denies every way of writing something dangerous."""
    assert judge(command).effect in ("ask", "deny")


@pytest.mark.parametrize("command", HARMLESS)
def test_stops_nothing_harmless(command: str) -> None:
    """Says nothing of what only looks dangerous."""
    assert judge(command).effect is None


def test_corpus_is_large() -> None:
    """Holds at least 150 evasions and 100 harmless commands, none twice."""
    assert len(set(DANGEROUS)) == len(DANGEROUS) >= 150
    assert len(set(HARMLESS)) == len(HARMLESS) >= 100


@given(VECTORS, st.data())
@settings(max_examples=200)
def test_quoting_changes_nothing(argv: list[str], data: st.DataObject) -> None:
    """Says the same however the words are quoted."""
    quoted = [_quoted(word, data) for word in argv]

    assert judge(" ".join(quoted)).rule_id == judge(shlex.join(argv)).rule_id


def _quoted(word: str, data: st.DataObject) -> str:
    way = data.draw(st.sampled_from(["single", "double", "back", "ansi", "split"]))
    if way == "back":
        return "".join("\\" + sign for sign in word)
    if way == "ansi":
        return "$'" + "".join(f"\\x{ord(sign):02x}" for sign in word) + "'"
    if way == "split":
        at = data.draw(st.integers(0, len(word)))
        return f"'{word[:at]}'\"{word[at:]}\""
    return f"'{word}'" if way == "single" else f'"{word}"'


@given(VECTORS, st.lists(PREFIXES, max_size=2), st.lists(COMPOUNDS, max_size=3))
@settings(max_examples=300)
def test_wrapping_never_weakens(argv: list[str], prefixes: list[str], around: list[str]) -> None:
    """Is at least as strict with a command that is wrapped in others."""
    command = shlex.join(argv)
    bare = judge(command)
    for wrapping in [*prefixes, *around]:
        command = wrapping.format(command, q=shlex.quote(command))

    wrapped = judge(command)

    assert wrapped.severity >= min(bare.severity, 1)


def test_worst_part_speaks() -> None:
    """Gives a compound command the strictest ruling of its parts, and names the part."""
    ruling = judge("git push && rm -rf / && ls")

    assert (ruling.effect, ruling.rule_id, ruling.part) == ("deny", "delete-root", "rm -rf /")


def test_explains_itself() -> None:
    """Says which part, why, and what to do instead."""
    ruling = judge("ls; git reset --hard")

    assert "`git reset --hard`" in ruling.text
    assert ruling.instead


def test_same_path_depends_on_folder() -> None:
    """Takes a path for in or outside of the tree by the working directory."""
    assert judge("rm /code/app/x").effect is None
    assert judge("rm /code/app/x", cwd="/code/other").effect == "ask"
    assert judge("rm x", cwd="/").effect is not None


def test_users_rules_restrict(rules: Path) -> None:
    """Takes in a user's ask and deny rules beside the bundled ones."""
    rules.write_text(
        '[[rule]]\nid = "no-make"\neffect = "deny"\nprogram = ["make"]\ntext = "No."\n'
    )
    book = Rulebook.load([rules])

    assert judge("ls; make", book).rule_id == "no-make"
    assert judge("git push", book).rule_id == "push"


def test_users_rules_cannot_lift_the_floor(rules: Path) -> None:
    """Keeps asking where a bundled rule asks, whatever a user allows."""
    rules.write_text('[[rule]]\nid = "all"\neffect = "allow"\nprogram = ["*"]\ntext = "Yes."\n')
    book = Rulebook.load([rules])

    assert judge("make", book).effect == "allow"
    for command in ("git push", "rm -rf /", "make; git push", "$x", "sudo make", "make > /etc/x"):
        assert judge(command, book).effect in ("ask", "deny")


def test_allows_only_if_every_part_is_allowed(rules: Path) -> None:
    """Allows a compound command only if a rule allows each part as it is written."""
    rules.write_text(
        '[[rule]]\nid = "look"\neffect = "allow"\nprogram = ["ls", "wc"]\n'
        'flags = ["-l", "-a"]\ntext = "It looks."\n'
    )
    book = Rulebook.load([rules])

    assert judge("ls -l | wc -l", book).effect == "allow"
    assert judge("timeout 5 ls -l", book).effect == "allow"
    for command in ("ls; make", "ls -R", "ls > x", "A=1 ls", "ls $(make)", "strace ls", "ls '"):
        assert judge(command, book).effect != "allow", command


@pytest.mark.parametrize(
    ("text", "rule", "field"),
    [
        ('id = "a"\neffect = "maybe"\nprogram = ["x"]\ntext = "t"', "a", "effect"),
        ('id = "a"\neffect = "ask"\nprogramm = ["x"]\ntext = "t"', "a", "programm"),
        ('id = "a"\neffect = "ask"\nprogram = ["x"]\nargs = ["("]\ntext = "t"', "a", "args"),
        ('id = "a"\neffect = "ask"\nprogram = ["x"]\npaths = ["moon"]\ntext = "t"', "a", "paths"),
        ('id = "a"\neffect = "ask"\nprogram = "x"\ntext = "t"', "a", "program"),
        ('id = "a"\neffect = "ask"\nprogram = ["x"]', "a", "text"),
        ('id = "a"\neffect = "ask"\ntext = "t"', "a", "id"),
        ('id = "push"\neffect = "ask"\nprogram = ["x"]\ntext = "t"', "push", "id"),
        ('effect = "ask"\nprogram = ["x"]\ntext = "t"', "number 1", "id"),
    ],
)
def test_names_what_is_wrong(rules: Path, text: str, rule: str, field: str) -> None:
    """Names the file, the rule and the field that cannot be used."""
    rules.write_text(f"[[rule]]\n{text}\n")

    with pytest.raises(SettingsError) as caught:
        Rulebook.load([rules])

    assert caught.value.facts == {"file": str(rules), "rule": rule, "field": field}


@pytest.mark.parametrize("body", [b"[[rule", b"\xff\xfe", b"rules = 3", b"[rule]\nid='a'"])
def test_refuses_what_is_no_rules_file(rules: Path, body: bytes) -> None:
    """Names a file that holds no rules at all."""
    rules.write_bytes(body)

    with pytest.raises(SettingsError) as caught:
        Rulebook.load([rules])

    assert caught.value.facts["file"] == str(rules)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Rules that were asked for and are not there are never passed over in silence."""
    with pytest.raises(SettingsError, match=r"none\.toml"):
        Rulebook.load([tmp_path / "none.toml"])


@pytest.mark.parametrize(
    ("tool", "path", "effect"),
    [
        ("Edit", "/code/app/src/x.py", None),
        ("Write", "src/x.py", None),
        ("Write", "/etc/hosts", "ask"),
        ("Edit", "/code/app/../other/x", "ask"),
        ("Write", "/code/app/.env", "ask"),
        ("Write", "/code/app/.claude/settings.json", "ask"),
        ("Edit", "/code/app/.git/config", "ask"),
        ("Edit", "/code/app/.onward/rules.toml", "deny"),
        ("MultiEdit", "~/.bashrc", "ask"),
        ("Read", "/code/app/.env", "ask"),
        ("Read", "/etc/hosts", None),
        ("Read", "/code/app/.claude/settings.json", None),
    ],
)
def test_judges_other_tools(tool: str, path: str, effect: str | None) -> None:
    """Judges tools that are no shell by the files that they name."""
    assert judge_tool(tool, file_path=path).effect == effect


@pytest.mark.parametrize(
    ("tool", "given", "effect"),
    [
        ("mcp__filesystem__read_multiple_files", {"paths": ["a", "/home/u/.ssh/id_rsa"]}, "ask"),
        ("mcp__filesystem__read_multiple_files", {"paths": ["a", "src/b.py"]}, None),
        ("mcp__filesystem__move_file", {"source": "a", "destination": ".onward/x.toml"}, "deny"),
        ("mcp__filesystem__move_file", {"source": "/etc/hosts", "destination": "b"}, "ask"),
        ("mcp__filesystem__move_file", {"source": "a", "destination": "b"}, None),
        ("MultiEdit", {"edits": [{"file_path": "a"}, {"file_path": "/etc/hosts"}]}, "ask"),
        ("edit_files", {"files": [{"filePath": "a", "new_source": "/etc/hosts"}]}, None),
        ("edit_files", {"changes": {"one": {"targetFileNames": [["../b"]]}}}, "ask"),
        ("mcp__serena__replace_content", {"relative_path": ".env", "content": "x"}, "ask"),
        ("create_directories", {"directories": ["/usr/lib/x"]}, "ask"),
        ("Read", {"file_path": None, "paths": [1, None, {}]}, None),
    ],
)
def test_judges_every_file_that_a_tool_names(
    tool: str, given: dict[str, object], effect: str | None
) -> None:
    """Finds the files of a tool's input under the usual names, in lists and nested, too."""
    call = Call(session="s", tool=tool, input=given, cwd="/code/app")

    assert Rulebook.bundled().judge(call, None).effect == effect
    if effect is not None:
        assert classify(call, None).level == "irreversible"


def test_judges_tools_by_name_and_input(rules: Path) -> None:
    """Judges a tool by its name, and by a field of its input."""
    rules.write_text(
        '[[rule]]\nid = "no-web"\neffect = "deny"\ntool = ["WebFetch"]\n'
        'input = { url = "evil" }\ntext = "No."\n'
    )
    book = Rulebook.load([rules])
    calls = [
        Call(session="s", tool="webfetch", input={"url": url})
        for url in ("https://evil.example", "https://good.example")
    ]

    assert [book.judge(call, None).effect for call in calls] == ["deny", None]
    assert judge_tool("mcp__github__merge_pull_request").effect == "ask"


def test_takes_input_of_any_depth() -> None:
    """Looks through input that is nested as deep as can be."""
    given: object = {"path": "/code/app/.onward/rules.toml"}
    for _ in range(50_000):
        given = [given]

    assert judge_tool("edit", files=given).effect == "deny"
    del given


def test_asks_about_a_shell_without_a_command() -> None:
    """Asks where a shell's call holds no command that could be read."""
    assert judge_tool("Bash", script="x").effect == "ask"


def test_guards_its_own_state(tmp_path: Path) -> None:
    """Denies changes of onward's state wherever it lies."""
    book = Rulebook.load(state="/var/lib/state")

    assert judge("rm /var/lib/state/history.db", book).effect == "deny"
    assert judge("cat /var/lib/state/rules.toml", book).effect is None


@pytest.mark.parametrize("home", ["state", "./state/", "../app/state", "link", "sub/../link"])
def test_guards_a_state_that_is_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    """Denies changes of onward's state where its folder is given relatively, or as a link."""
    folder = tmp_path / "app"
    (folder / "state").mkdir(parents=True)
    (folder / "link").symlink_to("state")
    monkeypatch.chdir(folder)
    book = Rulebook.load(state=home)

    assert judge("rm state/history.db", book, cwd=str(folder)).effect == "deny"
    assert judge("echo >> ../state/rules.toml", book, cwd=str(folder / "src")).effect == "deny"
    assert judge("rm stated", book, cwd=str(folder)).effect is None
    monkeypatch.chdir(tmp_path)
    assert judge(f"rm {folder}/state/history.db", book, cwd="/code").effect == "deny"
    if "link" in home:
        assert judge("rm link/history.db", book, cwd=str(folder)).effect == "deny"


@pytest.mark.parametrize(
    "command",
    [
        "awk '" + "print " * 10_000 + "'",
        "sed 's" + "a" * 60_000 + "'",
        "git config " + "a." * 30_000,
        "psql -c '" + "copy " * 12_000 + "'",
        "cat '" + "/" * 60_000 + " '",
        "cat " + "a*" * 30_000,
        "rm " + "⟨a" * 20_000,
        "curl " + "https://" * 1_000,
        "scp " + "a_" * 4_000 + "! b",
        "psql -c '" + "copy " * 1_600 + "'",
    ],
)
def test_takes_bounded_time(command: str) -> None:
    """Comes back with a ruling on words made to keep regular expressions busy."""
    assert judge(command).effect in ("ask", "deny", None)


def test_searches_long_texts_to_their_end() -> None:
    """Finds what stands at the end of a long text."""
    padding = "x = 1\n" * 2_000

    assert judge(f"python - <<'E'\n{padding}\nimport shutil; shutil.rmtree('a')\nE").effect == "ask"


def test_the_beginning_is_the_texts_own(rules: Path) -> None:
    """An allow rule's ``^`` means where the text begins, and no long text is allowed."""
    rules.write_text(
        '[[rule]]\nid = "good"\neffect = "allow"\nprogram = ["fetch"]\n'
        "args = ['^https://good\\.example/']\ntext = \"Ours.\"\n"
        '[[rule]]\nid = "top"\neffect = "deny"\nprogram = ["make"]\n'
        "args = ['^install']\nunless_args = ['dry$']\ntext = \"No.\"\n"
    )
    book = Rulebook.load([rules])

    assert judge("fetch https://good.example/a", book).effect == "allow"
    for at in (750, 1_500, 9_000):
        evil = "https://evil.example/?".ljust(at, "x")
        assert judge(f"fetch {evil}https://good.example/", book).effect is None
        assert judge(f"make {'x' * at}install", book).effect is None
        assert judge(f"make install{'x' * at}", book).effect == "deny"
    assert judge("fetch https://good.example/" + "x" * 1_000, book).effect is None
    for at in range(995, 1_003):
        assert judge(f"make install{'x' * (at - 10)}dry{'x' * 8_000}", book).effect == "deny"


@pytest.mark.parametrize("between", [0, 10, 300, 600])
def test_nothing_hides_in_a_long_text(rules: Path, between: int) -> None:
    """A deny rule finds what begins and ends far apart, also across lines if it says so."""
    rules.write_text(
        '[[rule]]\nid = "customers"\neffect = "deny"\nprogram = ["psql"]\n'
        "code = ['(?is)drop\\s+table\\b.*\\bcustomers\\b', 'x^']\ntext = \"No.\"\n"
    )
    book = Rulebook.load([rules])
    tables = "".join(f"table_{number},\n" for number in range(between))

    assert judge(f"psql -c 'DROP TABLE {tables} customers'", book).effect == "deny"


def test_finds_what_stands_anywhere_in_a_very_long_text(rules: Path) -> None:
    """In a text too long to be searched at once a deny rule still finds what is near together."""
    rules.write_text(
        '[[rule]]\nid = "no"\neffect = "deny"\ntool = ["fetch"]\n'
        "input = { url = '//evil\\.example(?!\\.com)' }\ntext = \"No.\"\n"
    )
    book = Rulebook.load([rules])
    for at in (0, 740, 755, 995, 20_000, 99_000):
        url = "x" * at + "//evil.example/" + "x" * (100_000 - at)
        call = Call(session="s", tool="fetch", input={"url": url})
        assert book.judge(call, None).effect == "deny"


def test_every_bundled_expression_compiles() -> None:
    """The bundled rules' expressions, which wait until they are needed, are all sound."""
    for rule in Rulebook.bundled().rules:
        rule.compile()
