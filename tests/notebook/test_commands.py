"""The words of ``%pipeline`` and values of parameters."""

from __future__ import annotations

import pytest

from nbsteps.core.errors import UsageError
from nbsteps.notebook.commands import literal, parse_parameters, parse_pipeline


def check(line, **expected):
    found = vars(parse_pipeline(line))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {"command": None}),
        ("run", {"command": "run", "steps": [], "force": None, "param": [], "dry_run": False}),
        ("run a b", {"steps": ["a", "b"], "force": None}),
        ("run --force", {"steps": [], "force": []}),
        ("run a --force b c", {"steps": ["a"], "force": ["b", "c"]}),
        ("run --param month=7 -p 'name=a b'", {"param": ["month=7", "name=a b"]}),
        ("run a --dry-run", {"steps": ["a"], "dry_run": True}),
        ("plan a", {"command": "plan", "steps": ["a"]}),
        ("why a", {"command": "why", "step": "a"}),
        ("history", {"command": "history", "kind": "runs"}),
        ("history events", {"kind": "events"}),
        ("approve a", {"command": "approve", "step": "a", "values": [], "comment": ""}),
        ("approve a n=1 'who=x y' -c 'all right'", {"values": ["n=1", "who=x y"], "comment": "all right"}),
        ("reject a --comment no", {"command": "reject", "step": "a", "comment": "no"}),
        ("accept a", {"command": "accept", "step": "a"}),
        ("notebook", {"path": None}),
        ("notebook 'my analysis.ipynb'", {"path": "my analysis.ipynb"}),
    ],
)
def test_words(line, expected):
    check(line, **expected)


@pytest.mark.parametrize(
    "line", ["rnu", "why", "why a b", "history nothing", "run --frob", "run 'a", "status a", "reject a n=1", "accept"]
)
def test_words_that_cannot_be_meant(line):
    with pytest.raises(UsageError) as caught:
        parse_pipeline(line)
    assert caught.value.problem.hint
    assert "\n" not in caught.value.problem.hint


@pytest.mark.parametrize("line", ["--help", "run -h"])
def test_help_prints_and_ends(line, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_pipeline(line)
    assert caught.value.code == 0
    assert "usage: %pipeline" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-1.5", -1.5),
        ("UA", "UA"),
        ("'7'", "7"),
        ("2026-01-01", "2026-01-01"),
        ("True", True),
        ("true", True),
        ("false", False),
        ("null", None),
        ("None", None),
        ("[1, 'a']", [1, "a"]),
        ("{'a': 1}", {"a": 1}),
        ("", ""),
        ("a=b", "a=b"),
        ("007", "007"),
        ("1 + 1", "1 + 1"),
        ("(" * 500, "(" * 500),
    ],
)
def test_literals(text, value):
    found = literal(text)
    assert (found, type(found)) == (value, type(value))


def test_parameters_are_names_and_values():
    assert parse_parameters(["n=1", "text=a=b", "empty="]) == {"n": 1, "text": "a=b", "empty": ""}
    for bad in ("n", "=1", "1n=2", "a b=1"):
        with pytest.raises(UsageError, match="not of the form NAME=VALUE"):
            parse_parameters([bad])
