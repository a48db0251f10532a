"""Step cells are told apart from others, and every cell body that Jupyter runs parses."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsteps.core.escapes import rewrite
from nbsteps.core.source import MAGIC, StepSource, nested_magic, parse, split_cell, stray_tag


def check(source: str, *, expect: str) -> None:
    """Assert that ``source`` means the Python ``expect``, where ``M`` stands for the magic function."""
    assert ast.dump(parse(source)) == ast.dump(ast.parse(expect.replace("M(", f"{MAGIC}(")))


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("%matplotlib inline", "M('%matplotlib inline')"),
        ("%load_ext x\ny = 1", "M('%load_ext x')\ny = 1"),
        ("%timeit f(x)", "M('%timeit f(x)', f(x))"),
        ("%timeit -n 10 -r3 f(x)", "M('%timeit -n 10 -r3 f(x)', f(x))"),
        ("%timeit x = f(y)", "M('%timeit x = f(y)', f, y)"),
        ("%time x = f(y)", "M('%time'); x = f(y)"),
        ("%time for i in x: g(i)", "for i in x: g(i)"),
        ("%time", "M('%time')"),
        ("%time two words", "M('%time two words')"),
        ("%prun -s cumulative -l 10 f(x)", "M('%prun'); f(x)"),
        ("%run script.py {flag}", "M('%run script.py {flag}', flag)"),
        ("!ls", "M('!ls')"),
        ("!!ls -l", "M('!!ls -l')"),
        ("!cp {a} $b", "M('!cp {a} $b', a, b)"),
        (
            "!cp {f(a)[0]} {b.c:>3} {d!r} $e.path $$HOME",
            ("M('!cp {f(a)[0]} {b.c:>3} {d!r} $e.path $$HOME', f(a)[0], b.c, d, e.path)"),
        ),
        ("!awk '{print $1}' {file}", "M(\"!awk '{print $1}' {file}\", file)"),
        ("x = !ls {d}", "x = M('!ls {d}', d)"),
        ("x, *y = !ls", "x, *y = M('!ls')"),
        ("x['a'] = !ls", "x['a'] = M('!ls')"),
        ("x: list = %timeit -o f(z)", "x: list = M('%timeit -o f(z)', f(z))"),
        ("x = %time f(y)", "x = M('%time f(y)', f(y))"),
        ("x = %env HOME", "x = M('%env HOME')"),
        ("a?", "M('a?', a)"),
        ("a.b??", "M('a.b??', a.b)"),
        ("?a", "M('?a', a)"),
        ("np.*abs*?", "M('np.*abs*?')"),
        ("%timeit?", "M('%timeit?')"),
        ("/f a b", "f(a, b)"),
        (",f a b", "f('a', 'b')"),
        (";f a b", "f('a b')"),
        ("pip install pandas", "M('%pip install pandas')"),
        ("cd ..", "M('%cd ..')"),
        ("!ls \\\n  -l\ny = 1", "M('!ls  -l')\ny = 1"),
        (
            "if x:\n    %timeit f(x)\n    y = !ls\nelse:\n    !ls",
            ("if x:\n M('%timeit f(x)', f(x))\n y = M('!ls')\nelse:\n M('!ls')"),
        ),
        ("await f()", "await f()"),
        (
            "async for x in y:\n    !ls\nasync with a as b: pass",
            ("async for x in y:\n    M('!ls')\nasync with a as b: pass"),
        ),
        ("x = [i async for i in y]", "x = [i async for i in y]"),
        ("  x = 1\n  y = 2", "x = 1\ny = 2"),
        ("\n    x = 1\n    !ls\n", "x = 1\nM('!ls')"),
        (">>> x = 1\n>>> for i in x:\n...     y", "x = 1\nfor i in x:\n    y"),
        ("In [3]: x = 1\n   ...: y = 2", "x = 1\ny = 2"),
        ("%%bash -s {q}\necho $x\n", "M('%bash -s {q}', q); M('echo $x\\n')"),
        ("%%html", "M('%html'); M('')"),
        ("%%time\nx = 1\n!ls", "M('%time')\nx = 1\nM('!ls')"),
        ("%%capture out --no-stderr\nprint(x)", "out = M('%capture out --no-stderr')\nprint(x)"),
        ("%%capture\nprint(x)", "M('%capture')\nprint(x)"),
        ("%%timeit -n 3 y\nx = 1", "M('%timeit -n 3 y', y)\ndef __nbsteps_magic__(): x = 1"),
        ("%%timeit\n", "M('%timeit')"),
        ("", ""),
        ("x = 1\r\n!ls\r\ny = 2", "x = 1\nM('!ls')\ny = 2"),
    ],
)
def test_additions_of_ipython_become_calls(source: str, expect: str) -> None:
    check(source, expect=expect)


@pytest.mark.parametrize(
    "inside",
    [
        's = """\n%foo\n!bar\n"""\n',
        "s = '''\na?\n'''\n",
        "f(\n    1 # (\n    %\n    2)\n",
        "x = 5 \\\n% 3\n",
        "x = [1,\n'(',\n]\n",
        "x %= 3\n",
        "if x != y: pass\n",
        "f(a=3 %2)\n",
        "d = {'a': 'x?'} # really?\n",
        's = f"""\n{x}\n%s""" % y\n',
        "s = 'it\\'s # fine'\n",
    ],
)
def test_lines_inside_statements_are_left_alone(inside: str) -> None:
    check(inside + "!ls\n", expect=inside + "M('!ls')\n")


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        ("x = 1\ny = = 2", 2, "y = = 2"),
        ("!ls\n!ls \\\n -l\ny = = 2", 4, "y = = 2"),
        ("%%time\nx = 1\n\nx x", 4, "x x"),
        ("\n\n%%time\n!ls\nx x", 5, "x x"),
        ("!ls\nf(", 2, "f("),
    ],
)
def test_errors_name_the_line_of_the_body(source: str, line: int, text: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        parse(source)
    assert caught.value.lineno == line
    assert (caught.value.text or "").rstrip("\n") == text


@pytest.mark.parametrize("source", ["x\0", "'\ud800'", "(" * 5000, "-" * 100_000 + "1"])
def test_what_python_cannot_read_is_a_syntax_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        parse(source)


def test_line_numbers_are_kept() -> None:
    tree = parse("\n%matplotlib inline\n!ls \\\n  -l\nx = 1\n\ny = !ls\n")
    assert [node.lineno for node in tree.body] == [2, 3, 5, 7]


def test_invalid_escapes_do_not_warn() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parse("x = '\\d'\n%pwd")
    assert caught == []


def test_trees_are_shared() -> None:
    assert parse("x = 41 + 1") is parse("x = 41" + " + 1")


PLAIN = ["x = 1\n", "if x:\n    y = '''\n%a\n'''\n", "f(\n!=\n)\n", "def g():\n    return (1,\n  2)\n", "# c?\n", "\n"]


@given(st.lists(st.sampled_from([*PLAIN, "%m\n", "!s \\\n t\n", "z = !s\n", "a?\n"])))
def test_rewriting_keeps_the_number_of_lines(pieces: list[str]) -> None:
    source = "".join(pieces)
    assert rewrite(source).count("\n") == source.count("\n")


@given(st.lists(st.sampled_from(PLAIN)))
def test_rewriting_leaves_statements_without_magics_alone(pieces: list[str]) -> None:
    assert rewrite("".join(pieces)) == "".join(pieces)


@given(st.text(alphabet="%!?=xa'\"\\\n ([{#}])$/;,:", max_size=40))
def test_any_text_parses_or_is_a_syntax_error(source: str) -> None:
    try:
        tree = parse(source)
    except SyntaxError as error:
        assert error.lineno is None or 0 <= error.lineno <= source.count("\n") + 2  # noqa: PT017 - both ends are right
    else:
        assert isinstance(tree, ast.Module)


@pytest.mark.parametrize(
    ("source", "expect"),
    [
        ("%%step clean", StepSource("clean", "", 1)),
        ("%%step clean\nx = 1\n", StepSource("clean", "x = 1\n", 1)),
        ("%%step clean --in raw  \nx", StepSource("clean --in raw", "x", 1)),
        ("\n \n%%step clean\nx", StepSource("clean", "x", 3)),
        ("%%step clean \\\n  --in raw \\\n  --out y\nx", StepSource("clean --in raw --out y", "x", 3)),
        ("%%step clean \\\n\nx", StepSource("clean", "x", 2)),
        ("%%step \\", StepSource("", "", 1)),
        ("%%step\nx", StepSource("", "x", 1)),
        ("%%step a\r\nx\r\n", StepSource("a", "x\r\n", 1)),
        ("%%steps a\nx", None),
        ("%%step?", None),
        ("x = '''\n%%step a'''", None),
        ("# note\n%%step a\nx", None),
        ("%step a\nx", None),
        ("", None),
    ],
)
def test_step_cells_are_taken_apart(source: str, expect: StepSource | None) -> None:
    assert split_cell(source) == expect


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        ("%%bash -s x\necho\n", ("bash", "-s x", "echo\n")),
        ("\n\n%%html\n<b>", ("html", "", "<b>")),
        ("%%bash", ("bash", "", "")),
        ("%%bash?", None),
        ("%%", None),
        ("x = 1\n%%bash", None),
        ("%time x", None),
    ],
)
def test_nested_cell_magics_are_recognised(body: str, expect: tuple[str, str, str] | None) -> None:
    assert nested_magic(body) == expect


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# load\n%%step load --out raw\nraw = 1", (2, "%%step load --out raw")),
        ("x = 1\r\n\r\n%%step load", (3, "%%step load")),
        ("%%time\n%%step load\nraw = 1", (2, "%%step load")),
        ("%%step load\n", (1, "%%step load")),
        ("x = 1\n  %%step load", (2, "%%step load")),
        ('text = """\n%%step load\n"""', None),
        ("%%bash\n%%step load", None),
        ("%%writefile a.py\nx = 1\n%%step load", None),
        ("a\n%%steps load", None),
        ("# %%step load", None),
        ("", None),
    ],
)
def test_a_tag_that_is_none_is_found_where_ipython_would_stumble(text, found):
    assert stray_tag(text) == found
