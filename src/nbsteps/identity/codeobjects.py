"""Code objects: a digest of what they do, and what they read from outside.

Read from the loaded bytecode, so it is right for the code that will run, whatever the file on disk says by now.
"""

from __future__ import annotations

import ast
import dis
import inspect
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import CodeType
from typing import Any, Final, NamedTuple

from nbsteps.core.findings import finding
from nbsteps.core.source import MAGIC, parse
from nbsteps.identity.feed import constant_text, digest_texts, digest_unordered
from nbsteps.identity.texts import EVALUATES, NO_TEXTS, Texts, named_in_texts

_LOADS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_CONSTANT_LOADS: Final = frozenset(dis.opmap[name] for name in ("LOAD_CONST", "RETURN_CONST") if name in dis.opmap)
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_OPTIMIZED: Final = inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS
_SHAPE_FLAGS: Final = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
_LOCAL_TIME: Final = frozenset(
    {"localtime", "mktime", "ctime", "fromtimestamp", "timestamp", "astimezone", "tzlocal", "tzname", "now", "today"}
)
_NAMES_LOCAL_TIME: Final = re.compile(rf"\b(?:{'|'.join(sorted(_LOCAL_TIME))})\b")
_LIMIT: Final = 8192
_FIELDS: Final[dict[type[ast.AST], tuple[str, ...]]] = {}
"""Fields of each class of nodes that can hold other nodes which say something."""

Chain = tuple[str, ...]


class Import(NamedTuple):
    """One import statement: ``from`` level dots and module import names; no names for ``import module``."""

    level: int
    module: str
    names: tuple[str, ...] = ()


class Facts(NamedTuple):
    """What code reads from outside.

    Attributes:
        reads: global name to the attribute chains that follow it: ``util.sub.f`` is ``util: (("sub", "f"),)``.
        imports: import statements in the code itself.
        optional: global names that may be local to a class body instead.
        texts: what its texts name.
        local_time: whether it uses the local time zone, as far as names tell.
    """

    reads: dict[str, tuple[Chain, ...]]
    imports: tuple[Import, ...]
    optional: frozenset[str] = frozenset()
    texts: Texts = NO_TEXTS
    local_time: bool = False


_NO_FACTS: Final = Facts({}, ())
_ONLY_LOCAL_TIME: Final = Facts({}, (), local_time=True)
_digests: dict[int, tuple[CodeType, str]] = {}
_facts: dict[int, tuple[CodeType, Facts]] = {}


def code_digest(code: CodeType) -> str:
    """Digest of bytecode, constants and names; lines, file names and docstrings never count. Cached."""
    known = _digests.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    digest = digest_texts(
        "code",
        code.co_name,
        f"{code.co_argcount},{code.co_posonlyargcount},{code.co_kwonlyargcount},{code.co_flags & _SHAPE_FLAGS}",
        code.co_code.hex(),
        code.co_exceptiontable.hex(),
        *(",".join(names) for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
        *(_constant(value) for value in _constants(code)),
    )
    if len(_digests) > _LIMIT:
        _digests.clear()
    _digests[id(code)] = (code, digest)
    return digest


def _constants(code: CodeType) -> tuple[object, ...]:
    """The constants, None in place of a docstring, which always comes first."""
    constants = code.co_consts
    is_function = code.co_flags & _OPTIMIZED == _OPTIMIZED and not code.co_name.startswith("<")
    if is_function and constants and isinstance(constants[0], str) and _has_docstring(code) and not _loads_first(code):
        return (None, *constants[1:])
    return constants


def _loads_first(code: CodeType) -> bool:
    """Whether the code uses a text that is its docstring, too: equal constants are kept once."""
    steps = memoryview(code.co_code)
    return any(
        steps[at] in _CONSTANT_LOADS and not steps[at + 1] and (not at or steps[at - 2] != dis.EXTENDED_ARG)
        for at in range(0, len(steps), 2)
    )


def _has_docstring(code: CodeType) -> bool:
    """Before Python 3.13 the first constant of a function was its docstring or None; since then a flag says so."""
    flag: int = getattr(inspect, "CO_HAS_DOCSTRING", 0)
    return not flag or bool(code.co_flags & flag)


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return code_digest(value)
    if isinstance(value, tuple):
        return digest_texts("tuple", *(_constant(item) for item in value))
    if isinstance(value, frozenset):
        return digest_unordered("frozenset", (_constant(item) for item in value))
    return constant_text(value)


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """The code object itself and all that are defined inside it."""
    yield code
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from nested_codes(value)


def code_facts(code: CodeType) -> Facts:
    """What a function reads, with everything defined inside it. Cached."""
    known = _facts.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    reads: dict[str, set[Chain]] = {}
    imports: list[Import] = []
    optional: set[str] = set()
    uses: set[str] = set()
    texts: list[str] = []
    for each in nested_codes(code):
        _scan(each, reads, imports, optional)
        uses.update(each.co_names)
        texts.extend(_texts_in(each.co_consts))
    named = named_in_texts(uses, texts)
    zone = not _LOCAL_TIME.isdisjoint(uses)
    facts = Facts(_ordered(reads), tuple(imports), frozenset(optional), named, local_time=zone)
    if len(_facts) > _LIMIT:
        _facts.clear()
    _facts[id(code)] = (code, facts)
    return facts


def _texts_in(constants: Iterable[object]) -> Iterator[str]:
    for value in constants:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (tuple, frozenset)):
            yield from _texts_in(value)


def _scan(code: CodeType, reads: dict[str, set[Chain]], imports: list[Import], optional: set[str]) -> None:
    """Collect the reads of one code object: each load of a global with the attributes loaded right after it."""
    name = ""
    chain: Chain = ()
    constants: list[object] = []
    for instruction in dis.get_instructions(code):
        operation = instruction.opname
        if operation in _ATTRIBUTES and name:
            chain = (*chain, instruction.argval)
            continue
        if name:
            reads.setdefault(name, set()).add(chain)
        name, chain = (instruction.argval, ()) if operation in _LOADS else ("", ())
        if operation == "LOAD_NAME":
            optional.add(name)
        elif operation == "LOAD_CONST":
            constants.append(instruction.argval)
        elif operation == "IMPORT_NAME":
            imports.append(_import(instruction.argval, constants[-2:]))


def _ordered(reads: dict[str, set[Chain]]) -> dict[str, tuple[Chain, ...]]:
    """Names and chains in an order that no hash seed changes."""
    return {name: tuple(sorted(reads[name])) for name in sorted(reads)}


def import_of(text: str) -> Import:
    """The import that a call by name stands for; dots at its start make it relative."""
    name = text.lstrip(".")
    return Import(len(text) - len(name), name)


def _import(module: str, operands: list[object]) -> Import:
    """An import statement from its operands: level and names."""
    level, names = operands if len(operands) == 2 else (0, None)  # noqa: PLR2004 - level and names
    return Import(
        level if isinstance(level, int) else 0,
        module,
        tuple(str(each) for each in names) if isinstance(names, tuple) else (),
    )


@lru_cache(maxsize=8192)
def body_facts(body: str) -> Facts:
    """The attribute chains and imports of a cell body, and what its texts name. Cached; none if it does not parse."""
    if "." not in body and "import" not in body and not EVALUATES.search(body):
        return _ONLY_LOCAL_TIME if _NAMES_LOCAL_TIME.search(body) else _NO_FACTS  # nothing to walk a tree for
    try:
        return _walked(body)
    except SyntaxError:
        return _NO_FACTS


def _pack(facts: Facts) -> list[Any]:
    texts = () if facts.texts is NO_TEXTS else facts.texts
    named = [each if isinstance(each, bool) else sorted(each) for each in texts]
    return [facts.reads, facts.imports, sorted(facts.optional), named, facts.local_time]


def _unpack(fields: list[Any]) -> Facts:
    reads, imports, optional, named, local_time = fields
    texts: list[Any] = [each if isinstance(each, bool) else frozenset(each) for each in named]
    return Facts(
        {name: tuple(map(tuple, chains)) for name, chains in reads.items()},
        tuple(Import(level, module, tuple(names)) for level, module, names in imports),
        frozenset(optional),
        Texts(*texts) if texts else NO_TEXTS,
        local_time,
    )


@finding(_pack, _unpack)
def _walked(body: str) -> Facts:
    tree = parse(body)
    facts = tree_facts(tree)
    if _NAMES_LOCAL_TIME.search(body):
        facts = facts._replace(local_time=True)
    return facts._replace(texts=tree_texts(tree)) if EVALUATES.search(body) else facts


def magics_of(body: str) -> frozenset[str]:
    """Names of the magics that a cell body calls; none if it does not parse."""
    try:
        return _magics(body) if "%" in body else frozenset()
    except SyntaxError:
        return frozenset()


@finding(sorted, frozenset)
def _magics(body: str) -> frozenset[str]:
    tree = parse(body)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    texts = (call.args[0] for call in calls if getattr(call.func, "id", "") == MAGIC and call.args)
    words = (text.value.split() for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))
    return frozenset(each[0].lstrip("%") for each in words if each and each[0].startswith("%"))


@lru_cache(maxsize=1024)
def module_texts(body: str) -> frozenset[str]:
    """Texts of a cell body that could be names of modules."""
    try:
        return tree_texts(parse(body)).modules
    except SyntaxError:
        return frozenset()


def tree_texts(tree: ast.AST) -> Texts:
    """What the texts of a syntax tree name."""
    uses, assigned = set[str](), set[str]()
    texts: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.Name):
            (uses if isinstance(node.ctx, ast.Load) else assigned).add(node.id)
        elif isinstance(node, ast.Attribute):
            uses.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            uses.update(alias.name for alias in node.names)
    return named_in_texts(uses, texts, assigned)


def tree_facts(tree: ast.AST) -> Facts:
    """The attribute chains and imports of a syntax tree, at whatever depth; names are not told apart by scope."""
    reads: dict[str, set[Chain]] = {}
    imports: list[Import] = []
    for node in _walk(tree):
        kind = type(node)
        if kind is ast.Attribute:
            name, chain = _chain(node)  # type: ignore[arg-type]  # the class was just checked, fast
            if name:
                reads.setdefault(name, set()).add(chain)
        elif isinstance(node, ast.Import):
            imports.extend(Import(0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.append(Import(node.level, node.module or "", tuple(alias.name for alias in node.names)))
    return Facts(_ordered(reads), tuple(imports))


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """``ast.walk`` in two thirds of its time, spent for every step and module: contexts of names are left out."""
    queue = deque([tree])
    while queue:
        node = queue.popleft()
        yield node
        kind = type(node)
        fields = _FIELDS.get(kind)
        if fields is None:
            fields = _FIELDS[kind] = tuple(name for name in kind._fields if name != "ctx")
        for name in fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                queue.extend([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                queue.append(value)


def _chain(node: ast.Attribute) -> tuple[str, Chain]:
    """Root name and attributes of ``a.b.c``; no name where the root is not one."""
    chain: list[str] = []
    current: ast.expr = node
    while isinstance(current, ast.Attribute):
        chain.append(current.attr)
        current = current.value
    return (current.id, tuple(reversed(chain))) if isinstance(current, ast.Name) else ("", ())
