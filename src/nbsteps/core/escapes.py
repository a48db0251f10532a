"""IPython's additions to Python, rewritten as calls that ``ast.parse`` accepts, line for line.

A line magic or shell line becomes ``MAGIC('its text', ...)``: the text counts in digests, and the further arguments are
the Python expressions that it mentions (``{x}``, ``$x``, the argument of ``%timeit``), so that names are found in them.
"""

from __future__ import annotations

import ast
import re
import warnings

MAGIC = "__nbsteps_magic__"
"""Name of the function that stands for IPython's magics in a tree. It is never defined and never a read."""

_LEXEMES = re.compile(
    r'''(?P<string>"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')'''
    r"""|(?P<comment>\#[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<joined>\\\n)|(?P<end>\n)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"([ \t]*)([%!?/,;])")
_ASSIGNED = re.compile(r"([ \t]*)([^=#\n%!]+?)[ \t]*=[ \t]*([%!])(?!=)")
_HELP = re.compile(r"([ \t]*)([^#\n]*?)\?{1,2}[ \t]*\n?\Z")
_WHOLE_LINE = re.compile(r"[^\n]*(?:(?<=\\)\n[^\n]*)*")
_PROMPT = re.compile(r"(?:>>> ?|\.\.\. ?|In \[\d+\]: ?| {2,}\.{3,}: ?)")
_BRACED = re.compile(r"(?<!\{)\{([^{}]+)\}")
_FORMAT = re.compile(r"(?:![rsa])?(?::[^:]*)?\Z")
_DOLLAR = re.compile(r"(?<!\$)\$\{?([^\W\d][\w.]*)")

# Line magics whose argument is Python: the letters of options that take a value, and whether what the statement
# assigns stays in the user's namespace.
_PYTHON_MAGICS = {
    "time": ("", True),
    "prun": ("DlsT", True),
    "timeit": ("nrp", False),
    "memit": ("rti", False),
    "lprun": ("fmDTu", False),
    "mprun": ("fT", False),
}
# What IPython runs without a percent sign when it is the only line of a cell (automagic).
_AUTOMAGIC = re.compile(
    r"[ \t]*(?:pip|conda|mamba|uv|cd|ls|ll|cat|cp|mv|rm|mkdir|rmdir|man|less|more|pwd|env|run|time|timeit|matplotlib|"
    r"pylab|load_ext|reload_ext|autoreload|whos?|history|reset|debug|store|magic|lsmagic|precision)(?:[ \t]|\s*\Z)"
)


def rewrite(text: str) -> str:
    """Replace every addition of IPython in ``text`` by Python on the same line; the number of lines stays.

    ``text`` has Unix line ends. Lines inside strings, brackets and continued statements are left alone.
    """
    text = _strip_prompts(_dedent(text))
    if _is_automagic(text):
        text = f"%{text}"
    pieces: list[str] = []
    position = 0
    while position < len(text):
        replaced = _rewrite_line(text, position)
        if replaced is None:
            end = _statement_end(text, position)
            pieces.append(_rewrite_help(text[position:end]))
        else:
            code, end = replaced
            pieces.append(code)
        position = end
    return "".join(pieces)


def python_call(text: str) -> str:
    """One line of Python for the line magic or shell line ``text``, which stands as a statement."""
    head, _, argument = text.partition(" ")
    option_letters, stays = _PYTHON_MAGICS.get(head[1:], ("", False))
    if head[1:] in _PYTHON_MAGICS and stays:
        statement = _without_options(argument, option_letters)
        tree = _try_parse(statement)
        if tree is not None and tree.body:
            compound = len(tree.body) == 1 and hasattr(tree.body[0], "body")
            return statement if compound else f"{MAGIC}({head!r}); {statement}"
    return _expression(text)


def _rewrite_line(text: str, position: int) -> tuple[str, int] | None:
    """The replacement for the magic that starts a statement at ``position`` and where the next begins; else None."""
    escaped = _ESCAPED.match(text, position)
    if escaped is not None:
        indent, start = escaped.group(1), escaped.start(2)
    else:
        assigned = _ASSIGNED.match(text, position)
        if assigned is None or _try_parse(f"{assigned.group(2)} = 0") is None:
            return None
        indent, start = assigned.group(1), assigned.start(3)
    whole = _WHOLE_LINE.match(text, start)
    assert whole is not None  # noqa: S101 - the pattern matches everywhere
    lines = whole.group().count("\n")
    magic = re.sub(r"\\\n[ \t]*", " ", whole.group()).strip()
    code = f"{indent}{python_call(magic)}" if escaped else f"{text[position:start]}{_expression(magic)}"
    end = whole.end()
    if end < len(text):
        end += 1
        lines += 1
    return code + "\n" * lines, end


def _rewrite_help(statement: str) -> str:
    """``name?`` as a call; any other statement as it is."""
    match = _HELP.match(statement)
    if match is None:
        return statement
    ending = "\n" if statement.endswith("\n") else ""
    return f"{match.group(1)}{_call(statement.strip(), [match.group(2).lstrip('%')])}{ending}"


def _expression(text: str) -> str:
    """The call that stands for a magic, shell line, help request or quoting call wherever an expression may be."""
    mark, rest = text[0], text[1:].strip()
    if mark == "?":
        return _call(text, [rest.lstrip("?%")])
    if mark in "/,;":
        return _quoting_call(text, mark, rest)
    head, _, argument = text.partition(" ")
    if mark == "%" and head[1:] in _PYTHON_MAGICS:
        statement = _without_options(argument, _PYTHON_MAGICS[head[1:]][0])
        return _call(text, [statement] if _is_expression(statement) else _loaded_names(statement))
    return _call(text, _BRACED.findall(text) + _DOLLAR.findall(text))


def _quoting_call(text: str, mark: str, rest: str) -> str:
    """``/f a b`` as ``f(a, b)``, ``,f a b`` as ``f('a', 'b')``, ``;f a b`` as ``f('a b')``."""
    name, _, argument = rest.partition(" ")
    words = argument.split() if mark in "/," else [argument]
    code = f"{name}({', '.join(words if mark == '/' else map(repr, words))})"
    return code if _is_expression(code) else _call(text, [])


def _call(text: str, mentioned: list[str]) -> str:
    """A call of MAGIC with the text and those of the mentioned snippets that are Python expressions."""
    found = (snippet if _is_expression(snippet) else _FORMAT.sub("", snippet) for snippet in mentioned)
    arguments = [f"({snippet.strip()})" for snippet in found if _is_expression(snippet)]
    return f"{MAGIC}({', '.join([repr(text), *arguments])})"


def _without_options(argument: str, with_value: str) -> str:
    """The argument of a Python magic below its options, such as ``-n 10 -o``."""
    words = argument.strip()
    while words[:1] == "-" and words[1:2].isalpha():
        option, _, words = words.partition(" ")
        if option[-1] in with_value:
            words = words.lstrip().partition(" ")[2]
        words = words.lstrip()
    return words


def _loaded_names(statement: str) -> list[str]:
    """Names that a statement in a scope of its own reads from outside."""
    tree = _try_parse(statement)
    if tree is None:
        return []
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return sorted({node.id for node in names} - stored)


def _try_parse(code: str) -> ast.Module | None:
    """Parse a snippet that may not be Python at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_expression(code: str) -> bool:
    """Whether the snippet is one expression that may stand in parentheses on one line."""
    if "\n" in code or "#" in code:
        return False
    tree = _try_parse(f"({code.strip()})") if code.strip() else None
    return tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)


def _statement_end(text: str, position: int) -> int:
    """Where the statement at ``position`` ends: after the first line end outside strings, brackets, continuations."""
    depth = 0
    for match in _LEXEMES.finditer(text, position):
        kind = match.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind == "end" and depth == 0:
            return match.end()
    return len(text)


def _dedent(text: str) -> str:
    """Take the first line's indentation from every line that has it, as IPython does."""
    first = text.lstrip("\n")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    if not indent:
        return text
    return "\n".join(line.removeprefix(indent) for line in text.split("\n"))


def _strip_prompts(text: str) -> str:
    """Remove the prompts of a pasted interactive session; any other text as it is."""
    if not text.lstrip("\n").startswith((">>>", "In [")):
        return text
    return "\n".join(_PROMPT.sub("", line, count=1) if _PROMPT.match(line) else line for line in text.split("\n"))


def _is_automagic(text: str) -> bool:
    """Whether the cell is one line that IPython runs as a magic although it has no percent sign."""
    return "\n" not in text.strip() and _AUTOMAGIC.match(text) is not None
