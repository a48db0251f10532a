"""The page on other caches: how often each was wrong, and how much of that its documentation says."""

from __future__ import annotations

import ast
import datetime as dt
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.conformance.probe import Probe

Tally = Counter[tuple[str, str, str]]
"""Tool, family and verdict -> how many."""
PLAYED, WRONG, SAID, MISSED = "played", "wrong hit", "documented wrong hit", "false miss"
BODY, HELPER, VALUE, MODULE, FILE, ENVIRONMENT = "body", "helper", "value", "module", "file", "environment"


@dataclass(frozen=True)
class Exclusion:
    """What a tool's documentation says that it does not see.

    Attributes:
        kinds: what may change unseen, as :func:`kinds_of` names it.
        words: how the documentation puts it.
        place: where.
    """

    kinds: frozenset[str]
    words: str
    place: str


EXCLUSIONS: Mapping[str, Exclusion] = {
    "joblib": Exclusion(
        frozenset({HELPER, VALUE, MODULE, FILE, ENVIRONMENT}),
        "memory is designed for pure functions",
        "https://joblib.readthedocs.io/en/stable/memory.html#gotchas",
    ),
    "cash-lib": Exclusion(
        frozenset({FILE}),
        "reads through a loader cash cannot see: a C extension that opens the file itself, a subprocess",
        "https://cash-lib.readthedocs.io/en/latest/known-limitations/",
    ),
    "marimo": Exclusion(
        frozenset({MODULE, FILE}),
        "the source code of imported modules is not used when computing the cache key; use mo.watch.file for files",
        "https://docs.marimo.io/api/caching/#limitations",
    ),
    "apache-hamilton": Exclusion(
        frozenset({HELPER, MODULE, FILE}),
        "if you edit utility functions or upgrade libraries, the cache might incorrectly assume the code to be the "
        "same; set RECOMPUTE where a file may change",
        "https://hamilton.apache.org/concepts/caching/",
    ),
    "redun": Exclusion(
        frozenset({HELPER, VALUE, MODULE, FILE, ENVIRONMENT}),
        "tasks must be effectively pure functions; redun cannot hash the contents of a plain Python function",
        "https://insitro.github.io/redun/tasks.html",
    ),
    "ipyflow": Exclusion(
        frozenset({MODULE, FILE, ENVIRONMENT}),
        "retrieves results whenever it detects inputs and cell content identical to a previous run: symbols count",
        "https://pypi.org/project/ipyflow/",
    ),
}


def kinds_of(probe: Probe) -> set[str]:
    """What changes between the versions of a probe: bodies of steps, helpers, values, modules, files, environment."""
    kinds = {FILE} if probe.change else set()
    kinds |= {MODULE if name.endswith(".py") else FILE for name in probe.changed}
    if probe.environment_of("A") != probe.environment_of("B"):
        kinds.add(ENVIRONMENT)
    before = set(probe.cells)
    for cell in set(probe.changed_cells) ^ before:
        kinds.add(_kind_of_cell(cell) if isinstance(cell, str) else BODY)
    return kinds


def _kind_of_cell(source: str) -> str:
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    return HELPER if any(isinstance(node, defining) for node in ast.walk(ast.parse(source))) else VALUE


def tallied(tool: str, probe: Probe, verdicts: Iterable[str]) -> Tally:
    """Verdicts on one probe, counted; a wrong hit that the documentation foresees counts as such, too."""
    tally = Tally((tool, probe.family, verdict) for verdict in verdicts)
    excluded = EXCLUSIONS.get(tool)
    if excluded and tally[tool, probe.family, WRONG] and kinds_of(probe) <= excluded.kinds:
        tally[tool, probe.family, SAID] += 1
    return tally


def tables(tally: Tally, names: Mapping[str, str], blind: Iterable[str]) -> tuple[str, str]:
    """Wrong hits and false misses; the latter not for tools that cannot be asked whether a body ran."""
    known = {name: version for name, version in names.items() if name not in set(blind)}
    return _table(tally, names, WRONG), _table(tally, known, MISSED)


def _table(tally: Tally, names: Mapping[str, str], verdict: str) -> str:
    """A line for each family, a column for each tool, how many of how many."""
    families = sorted({family for _, family, _ in tally})
    head = ["family", *(f"{name} {version}".strip() for name, version in names.items())]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for family in (*families, "all"):
        of = families if family == "all" else [family]
        cells = [_cell(tally, name, of, verdict) for name in names]
        lines.append("| " + " | ".join([family, *cells]) + " |")
    return "\n".join(lines)


def _cell(tally: Tally, name: str, families: Iterable[str], verdict: str) -> str:
    played, found, said = (sum(tally[name, each, kind] for each in families) for kind in (PLAYED, verdict, SAID))
    if not played:
        return "-"
    return f"{found} of {played}" + (f" ({said} said)" if verdict == WRONG and said else "")


PAGE = """# How other caches do

The probes of [the conformance suite](what-counts.md), played against caches that people use for the same work. Of
{total} probes {neutral} can be said without anything that is nbsteps' own: its options, magics, a live kernel; {played}
of them were played here. Each is played as nbsteps' probes are: version A, A once more, version B, and B on an empty
store; each in a process of its own, for nbsteps in a shell as good as new. ipyflow remembers as long as its kernel
lives, so it plays A, A and B in one kernel, and is compared with a kernel that does the same without `%%memoize`.

Made on {date} with Python {python} by

<!-- read -->
```console
$ python -m benchmarks.wrong_hits --write docs/explanation/scoreboard.md{options}
```

## Wrong hits: B got a result that it does not give on an empty store

*(n said)*: so many of them are cases that the tool's documentation tells you not to expect of it; see below.

{wrong}

## False misses: computed again what had not changed

{missed}

## What their documentation says

{said}

## How to read it

- *n of m*: m probes could be played; a tool that refuses a probe's values or code, or fails with an error, is not
  blamed for it. `-`: none could.
- Every tool is used as its documentation shows: `joblib.Memory.cache` and redun's `@task` around each step as a
  function, Hamilton's driver `with_cache()`, marimo's `persistent_cache` inside cells, cash-lib's `%cash_on` with
  `persist_all`, because the bodies are too quick for it to keep otherwise, ipyflow's `%%memoize` on each step's cell.
- Much of this is no fault in what the tools set out to do. They ask you to declare what they do not see, or to bump a
  version; nbsteps does, too, for [what it cannot see](what-counts.md#what-cannot-be-seen).
- cash-lib caches single statements, and a line that notes that the body ran would be cached like the others: its false
  misses cannot be counted this way.
- The probes were written for nbsteps, and it was mended until it passed. So the table says what the others do not see,
  not that nbsteps sees everything.
"""


def page(tally: Tally, names: Mapping[str, str], blind: Iterable[str], **counts: object) -> str:
    """The page; ``counts`` are the numbers and options that it names."""
    wrong, missed = tables(tally, names, blind)
    said = "\n".join(
        f"- [{tool}]({each.place}): in our words, {each.words}. Marked: {', '.join(sorted(each.kinds))}."
        for tool, each in EXCLUSIONS.items()
        if tool in names
    )
    today = dt.datetime.now(dt.UTC).date()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return PAGE.format(date=today, python=python, wrong=wrong, missed=missed, said=said, **counts)
