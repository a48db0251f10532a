"""The table of a step's options: one row each drives parser, printer, help and docs."""

from __future__ import annotations

from dataclasses import dataclass

from nbsteps.core.kinds import CACHE, DURATION, NAMES, TEXT, WORDS, Kind
from nbsteps.core.policies import Trigger
from nbsteps.core.policy_kinds import (
    CLASSES,
    CONDITION,
    EXPRESSION,
    FACTOR,
    FIELDS,
    JITTER,
    LIMIT,
    MAP,
    MESSAGE,
    NAME,
    ON_EXPIRE,
    ON_REJECT,
    POOL,
    RETRIES,
    SLOTS,
    SLOW,
    TOLERANCE,
    TRIGGER,
)


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table.

    Attributes:
        flag: as the user writes it, ``--in``.
        field: the field of :class:`StepOptions` that it fills.
        metavar: what stands for its value in help.
        kind: how its words are read and printed.
        help: one sentence.
        example: what may follow ``%%step NAME`` to use it.
        counts_in_key: whether changing it can change what makes a stored result reusable.
    """

    flag: str
    field: str
    metavar: str
    kind: Kind
    help: str
    example: str
    counts_in_key: bool


OPTIONS: tuple[Option, ...] = (
    Option("--in", "inputs", "NAME...", NAMES, "Variables that the step reads and other steps write; without it they "
           "are found in the code, and an empty list means none.", "--in raw rates", counts_in_key=True),
    Option("--out", "outputs", "NAME...", NAMES, "Variables that the step must have assigned when it ends; without it "
           "they are found in the code, and an empty list means none.", "--out orders", counts_in_key=True),
    Option("--after", "after", "STEP...", NAMES, "Steps that must come first although no data passes between them.",
           "--after download", counts_in_key=False),
    Option("--files", "files", "GLOB...", WORDS, "Patterns of files, relative to the notebook's folder, whose content "
           "counts.", "--files data/*.csv", counts_in_key=True),
    Option("--env", "env", "NAME...", WORDS, "Environment variables whose values count; only digests are stored.",
           "--env REGION", counts_in_key=True),
    Option("--ignore", "ignore", "NAME...", NAMES, "Names that the code reads and whose values do not count.",
           "--ignore connection", counts_in_key=True),
    Option("--mutates", "mutates", "NAME...", NAMES, "Inputs that the step changes in place; they become outputs too.",
           "--mutates orders", counts_in_key=True),
    Option("--version", "version", "STR", TEXT, "A text that counts: change it to force a new result.", "--version 2",
           counts_in_key=True),
    Option("--cache", "cache", "on|off|run", CACHE, "Whether results are reused: always, never, or only while the "
           "same run is resumed.", "--cache off", counts_in_key=False),
    Option("--ttl", "ttl", "DURATION", DURATION, "Time after its success at which a result expires, such as 30s, 2m, "
           "1h30m or 1d.", "--ttl 1d", counts_in_key=False),
    Option("--owner", "owner", "STR", TEXT, "Who answers for the step; shown, never counted.", "--owner ana",
           counts_in_key=False),
    Option("--tags", "tags", "TAG...", WORDS, "Labels; shown, never counted.", "--tags daily finance",
           counts_in_key=False),
    Option("--retries", "retries", "N", RETRIES, "How often a failed attempt is followed by another.", "--retries 3",
           counts_in_key=False),
    Option("--retry-delay", "retry_delay", "DURATION", DURATION, "Time before the second attempt, 1s by default.",
           "--retry-delay 5s", counts_in_key=False),
    Option("--backoff", "backoff", "FACTOR", FACTOR, "Factor from each delay to the next, 2 by default; 1 keeps it.",
           "--backoff 1.5", counts_in_key=False),
    Option("--max-delay", "max_delay", "DURATION", DURATION, "Time that no delay exceeds.", "--max-delay 1m",
           counts_in_key=False),
    Option("--jitter", "jitter", "none|full", JITTER, "With full each delay is drawn at random, from nothing to its "
           "value, so that many do not come back at once.", "--jitter full", counts_in_key=False),
    Option("--retry-on", "retry_on", "CLASS...", CLASSES, "Classes of exceptions that are worth another attempt, by "
           "their name in the notebook or dotted; without it all are.", "--retry-on ConnectionError",
           counts_in_key=False),
    Option("--no-retry-on", "no_retry_on", "CLASS...", CLASSES, "Classes that are not; they win over --retry-on.",
           "--no-retry-on ValueError", counts_in_key=False),
    Option("--timeout", "timeout", "DURATION", LIMIT, "Time that one attempt may take; a late one is stopped and "
           "counts as failed.", "--timeout 2m", counts_in_key=False),
    Option("--total-timeout", "total_timeout", "DURATION", LIMIT, "Time for all attempts and the waits between them; "
           "there is no attempt after it.", "--total-timeout 10m", counts_in_key=False),
    Option("--map", "map", "ITEM=ITEMS...", MAP, "Run the body once for each item of ITEMS, with ITEM bound to it; the "
           "output is the list of what the items give. Several pairs are taken side by side.", "--map day=days",
           counts_in_key=True),
    Option("--map-key", "map_key", "EXPR", EXPRESSION, "Expression over the loop variables that says which item it is; "
           "without it an item's whole content does.", "--map-key day.date", counts_in_key=True),
    Option("--max-parallel", "max_parallel", "N", SLOTS, "Items of the map at once.", "--max-parallel 4",
           counts_in_key=False),
    Option("--tolerate", "tolerate", "N|P%", TOLERANCE, "How many items of the map, or what share of them, may fail "
           "while the step succeeds.", "--tolerate 5%", counts_in_key=False),
    Option("--when", "when", "EXPR", CONDITION, "Expression that must be true for the step to run; it may read "
           "variables and ask failed('s'), succeeded('s'), skipped('s'). In a branch, else means: if no other member "
           "runs.", "--when 'len(orders) > 0'", counts_in_key=False),
    Option("--branch", "branch", "GROUP", NAME, "Steps of one group are tried in the order of their cells and the "
           "first whose --when is true runs; they may write the same names.", "--branch load --when full",
           counts_in_key=False),
    Option("--trigger", "trigger", "RULE", TRIGGER, f"When the step runs, by the ends of the steps that it needs: "
           f"{', '.join(Trigger)}.", "--trigger all_done", counts_in_key=False),
    Option("--catch", "catch", "STEP", NAME, "Run only if that step failed, and handle its failure; the body finds the "
           "exception as error.", "--catch fetch", counts_in_key=False),
    Option("--approve", "approve", "TEXT", MESSAGE, "Ask a person before the body runs; {name} stands for the value of "
           "a variable.", "--approve 'Send {total} to the bank?'", counts_in_key=False),
    Option("--ask", "ask", "FIELD...", FIELDS, "Fields of the question's form, as name:type=default; types are str, "
           "int, float, bool, date, or choices such as small|large. What is filled in becomes an input.",
           "--approve 'Go on?' --ask amount:float=0.5", counts_in_key=False),
    Option("--approve-timeout", "approve_timeout", "DURATION", LIMIT, "Time after which the question expires.",
           "--approve 'Go on?' --approve-timeout 1d", counts_in_key=False),
    Option("--on-expire", "on_expire", "fail|reject|approve", ON_EXPIRE, "What an expired question means, fail by "
           "default.", "--approve 'Go on?' --approve-timeout 1d --on-expire reject", counts_in_key=False),
    Option("--on-reject", "on_reject", "skip|fail", ON_REJECT, "What a no means for the step, skip by default.",
           "--approve 'Go on?' --on-reject fail", counts_in_key=False),
    Option("--approvers", "approvers", "USER...", WORDS, "Who may decide, by login name; without it anybody may.",
           "--approve 'Go on?' --approvers ana ben", counts_in_key=False),
    Option("--notify", "notify", "URL...", WORDS, "Where to say that the step failed, waits, succeeded or is slow, as "
           "Apprise writes addresses.", "--notify json://example.org/hook", counts_in_key=False),
    Option("--slow", "slow", "FACTORx", SLOW, "Say so when the step takes longer than so many times its median.",
           "--slow 2x", counts_in_key=False),
    Option("--pool", "pool", "NAME:SLOTS", POOL, "A limit shared by all steps that name it: so many of them at once.",
           "--pool api:2", counts_in_key=False),
)  # fmt: skip
"""Every option of a step, in the order of the fields of :class:`StepOptions`."""

USAGE = "%%step NAME [options]"


def help_text() -> str:
    """What ``%%step?`` shows."""
    heads = [f"{option.flag} {option.metavar}" for option in OPTIONS]
    width = max(map(len, heads))
    rows = [f"  {head:<{width}}  {option.help}" for head, option in zip(heads, OPTIONS, strict=True)]
    intro = [
        USAGE,
        "",
        "Tag this cell as a step of the notebook's pipeline. NAME is a Python identifier, unique in the notebook.",
        "Lists take spaces or commas. A backslash at the end of the line continues it on the next line.",
        "",
    ]
    return "\n".join([*intro, *rows, "", "Example:", "  %%step clean --in raw rates --out orders"])


def reference_markdown() -> str:
    """The table of options for the documentation."""
    rows = ["| option | what it says | example | in the key |", "|---|---|---|---|"]
    for option in OPTIONS:
        counts = "yes" if option.counts_in_key else "no"
        told = (f"`{option.flag} {option.metavar}`", option.help, f"`{option.example}`", counts)
        cells = " | ".join(text.replace("|", "\\|") for text in told)
        rows.append(f"| {cells} |")
    return "\n".join(rows) + "\n"
