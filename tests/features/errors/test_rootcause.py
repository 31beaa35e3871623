"""The line that says what went wrong, in outputs of many kinds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onward.features.errors.rootcause import HEAD, TAIL, error_lines, root_cause

PYTHON = """Traceback (most recent call last):
  File "a.py", line 3, in <module>
    main()
  File "lib/b.py", line 9, in main
    raise Odd("nothing failed here")
pkg.Odd: the lid is open
"""
CHAINED = """Traceback (most recent call last):
  File "a.py", line 3, in read
ConnectionError: no route
The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "a.py", line 9, in <module>
RuntimeError: could not read
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: cannot start
\tat a.B.main(B.java:3)
Caused by: java.io.IOException: port is taken
\t... 3 more
"""
PYTEST = """    def test_a():
>       assert f() == 3
E       AssertionError: assert 4 == 3
E        +  where 4 = f()

test_a.py:4: AssertionError
FAILED test_a.py::test_a - AssertionError: assert 4 == 3
"""
GCC = """a.c: In function 'main':
a.c:3:5: error: unknown type name 'strin'
a.c:9:1: error: expected ';'
make: *** [Makefile:3: a.o] Error 1
"""
MAVEN = """[INFO] ------
[ERROR] COMPILATION ERROR :
[ERROR] /p/A.java:[3,9] cannot find symbol
[ERROR] -> [Help 1]
[ERROR] Re-run Maven using the -X switch
"""
TAGGED = "<returncode>127</returncode>\n<output>\nbash: line 1: frob: command not found\n</output>"

CASES = {
    "python": (PYTHON, "pkg.Odd: the lid is open", ""),
    "chained": (CHAINED, "ConnectionError: no route", "ConnectionError"),
    "java": (JAVA, "java.io.IOException: port is taken", "IOException"),
    "pytest": (PYTEST, "AssertionError: assert 4 == 3", "AssertionError"),
    "gcc": (GCC, "a.c:3:5: error: unknown type name 'strin'", ""),
    "maven": (MAVEN, "/p/A.java:[3,9] cannot find symbol", ""),
    "tagged": (TAGGED, "bash: line 1: frob: command not found", ""),
    "plain": ("one\ntwo\n\n", "two", ""),
    "rust": (
        "error[E0308]: mismatched types\n --> a.rs:3",
        "error[E0308]: mismatched types",
        "E0308",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_innermost_meaningful_line_is_found(name: str) -> None:
    """Tracebacks, chains, test runs, compilers, builds and shells give the line that matters."""
    output, line, kind = CASES[name]
    found = root_cause(output)

    assert found.line == line
    assert found.type == kind
    assert line in output.splitlines()[found.number - 1]


@pytest.mark.parametrize("output", ["", "\n \n", "<returncode>1</returncode>\n<output>\n</output>"])
def test_silence_says_nothing(output: str) -> None:
    """An output without words has no line."""
    assert root_cause(output).line == ""
    assert root_cause(output).number == 0


def test_error_lines_are_the_most_formal_ones() -> None:
    """Where a build tool marks its errors, nothing else and no boilerplate is taken."""
    assert error_lines(MAVEN + "log: it failed\n") == MAVEN.splitlines()[1:3]
    assert error_lines("it failed\nwell") == ["it failed"]
    assert error_lines("a\nb") == ["a", "b"]


@given(st.text(max_size=400))
def test_any_output_is_read(output: str) -> None:
    """No output fails, and the line that is found stands in it."""
    found = root_cause(output)
    error_lines(output)

    assert found.number <= output.count("\n") + 1


def test_only_the_ends_are_looked_at() -> None:
    """An endless output costs no more than its ends."""
    assert root_cause("x\n" * (HEAD + TAIL) + "KeyError: 'a'").line == "KeyError: 'a'"
