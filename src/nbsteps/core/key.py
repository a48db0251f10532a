"""Parts -> key, and the difference of two keys' parts as reasons.

A key identifies a result before it is computed. Each part enters type-tagged and length-prefixed, sorted, so that
neither order nor concatenation can make two different sets of parts alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from nbsteps.core.model import Part, PartKind
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.sides import sides

SCHEME: Final = "1"
"""Version of how keys are made; a change of it makes every stored result unreachable."""


def make_key(parts: Iterable[Part], lines: Iterable[str] = ()) -> str:
    """Digest of all parts, 32 hexadecimal digits. Details and roles never count, neither does order.

    blake2b: in the standard library, and fast on the few hundred bytes that a key has.

    Args:
        parts: the parts.
        lines: further parts, as :func:`key_lines` gave them.
    """
    ordered = sorted([*lines, *key_lines(parts)])
    text = f"{SCHEME}\0{len(ordered)}\n" + "\n".join(ordered)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def key_lines(parts: Iterable[Part]) -> list[str]:
    """Each part as it enters a key, for parts that are in several."""
    return [f"{part.kind}\0{len(part.name)}\0{part.name}\0{len(part.digest)}\0{part.digest}" for part in parts]


_ALWAYS = {
    PartKind.SCHEME: ReasonKind.SCHEME,
    PartKind.PYTHON: ReasonKind.PYTHON,
    PartKind.CODE: ReasonKind.CODE,
    PartKind.MAP: ReasonKind.MAP,
    PartKind.OUTPUTS: ReasonKind.OUTPUTS,
    PartKind.HELPER: ReasonKind.HELPER,
    PartKind.MODULE: ReasonKind.MODULE,
    PartKind.PACKAGE: ReasonKind.PACKAGE,
    PartKind.FILE: ReasonKind.FILE,
    PartKind.ENV: ReasonKind.ENV,
    PartKind.VERSION: ReasonKind.VERSION,
}
_BY_ROLE = {
    "input": ReasonKind.INPUT,
    "parameter": ReasonKind.PARAMETER,
    "form": ReasonKind.FORM,
    "error": ReasonKind.ERROR,
    "helper": ReasonKind.HELPER,
    "module": ReasonKind.MODULE,
    "environment": ReasonKind.ENVIRONMENT,
    "setting": ReasonKind.SETTING,
    "random": ReasonKind.RANDOM,
    "place": ReasonKind.PLACE,
    "state": ReasonKind.STATE,
}
_SHOWN_INLINE = frozenset({PartKind.PYTHON, PartKind.PACKAGE, PartKind.VERSION})


def difference(before: Iterable[Part], after: Iterable[Part]) -> tuple[Reason, ...]:
    """Why the key made of ``after`` is not the one made of ``before``: one reason a part that changed.

    A part that came or went is named only where no part changed its content: a changed body or helper explains what it
    newly reads.
    """
    old = {(part.kind, part.name): part for part in before}
    new = {(part.kind, part.name): part for part in after}
    changed = tuple(change(old[at], new[at]) for at in new if at in old and new[at].digest != old[at].digest)
    if changed:
        return _ordered(changed)
    came = tuple(change(None, part) for at, part in new.items() if at not in old)
    went = tuple(change(part, None) for at, part in old.items() if at not in new)
    return _ordered(came + went)


def reason_kind(part: Part) -> ReasonKind:
    """What a change of a part is called."""
    return _BY_ROLE.get(part.role) or _ALWAYS.get(part.kind, ReasonKind.CONSTANT)


def change(old: Part | None, new: Part | None) -> Reason:
    """The reason for one part that changed, came (``old`` is None) or went (``new`` is None)."""
    found = [part for part in (new, old) if part is not None]
    inline = found[0].kind in _SHOWN_INLINE and (old.detail if old else "") != (new.detail if new else "")
    return Reason(reason_kind(found[0]), found[0].name, *sides(old, new), inline=inline)


def _ordered(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    rank = {kind: index for index, kind in enumerate(ReasonKind)}
    return tuple(sorted(reasons, key=lambda reason: (rank[reason.kind], reason.name)))
