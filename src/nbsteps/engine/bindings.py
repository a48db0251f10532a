"""What the engine knows of the variables that steps write: what they should hold, and how to get it back."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nbsteps.core.errors import DamagedValueError, StoreError, UndigestibleError
from nbsteps.core.missing import MISSING
from nbsteps.core.model import Artifact, Result
from nbsteps.engine.services import Services, new_id
from nbsteps.identity import content


@dataclass(frozen=True, slots=True)
class Bound:
    """One variable's content.

    Attributes:
        digest: of its content, or a stand-in that equals no other.
        artifact: None where it is not stored.
        module: top-level module of its type, ``""`` where unknown.
        why: what keeps its content from having a digest, or from being stored; ``""`` where nothing does.
    """

    digest: str
    artifact: Artifact | None
    module: str = ""
    why: str = ""


ABSENT: Final = Bound("absent", None)
"""Of an output that its body was free to leave unassigned, and did."""
NO_VALUE: Final = Bound("missing", None)
"""Of an input whose producer did not run: ``nbsteps.MISSING``."""


def stored(artifact: Artifact) -> Bound:
    """A stored value as what a variable holds."""
    return Bound(artifact.digest, artifact, artifact.type.partition(".")[0])


def module_of(value: object) -> str:
    """Top-level module of a value's type."""
    return type(value).__module__.partition(".")[0]


class Bindings:
    """The step variables of one kernel."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._bound: dict[str, Bound] = {}
        self.missing: set[str] = set()
        """Digests of stored values that turned out to be damaged or gone."""

    def restore(self, result: Result, names: Iterable[str] | None = None) -> None:
        """Bind a result's outputs lazily, except those that the namespace provably holds already."""
        wanted = result.outputs if names is None else names
        for name in wanted:
            artifact = result.outputs[name]
            bound = self._bound.get(name)
            if bound is None or bound.digest != artifact.digest or not self._services.evaluator.pending(name):
                self.bind(name, artifact)

    def bind(self, name: str, artifact: Artifact) -> None:
        """Bind one stored value lazily."""
        self._bound[name] = stored(artifact)
        self._services.evaluator.bind(name, lambda: self._load(artifact))

    def _load(self, artifact: Artifact) -> object:
        try:
            return self._services.store.get(artifact)
        except StoreError as error:
            self.missing |= {artifact.digest, error.digest or artifact.digest}
            raise

    def note(self, name: str, value: object, digest: str, artifact: Artifact | None, why: str = "") -> None:
        """Remember what a body just assigned, and that its value is stored again."""
        self._bound[name] = Bound(digest, artifact, module_of(value), why)
        self.missing.discard(digest)

    def absent(self, name: str) -> None:
        """A body left this output unassigned: whatever has the name now is not what it made."""
        self._bound[name] = ABSENT
        self._services.evaluator.forget(name)

    def drop(self, name: str) -> None:
        """A step that writes this name was skipped: in a fresh kernel there would be nothing."""
        if self._bound.pop(name, None) is not None:
            self._services.evaluator.forget(name)

    def retire(self, written: Container[str]) -> None:
        """Unbind what steps wrote that no cell writes any more: a fresh kernel would not have it."""
        for name in [name for name in self._bound if name not in written]:
            del self._bound[name]
            self._services.evaluator.forget(name)

    def known(self, name: str) -> Bound | None:
        """What the variable held when a step last wrote or restored it."""
        return self._bound.get(name)

    def present(self, name: str) -> bool:
        """Whether the variable has a value, loaded or pending."""
        return self._services.evaluator.pending(name) or name in self._services.evaluator.namespace

    def live(self, name: str) -> Bound:
        """What the user would see under this name now.

        A pending value has not been touched by anybody, so its recorded digest holds; a live one is digested. What has
        no digest gets one that nothing else has, so that whatever reads it runs.
        """
        bound = self._bound.get(name)
        if bound is not None and self._services.evaluator.pending(name):
            return bound
        value = self._services.evaluator.namespace[name]
        digest, why = digest_or_why(value)
        same = bound is not None and bound.digest == digest
        return Bound(digest, bound.artifact if same and bound is not None else None, module_of(value), why)

    def provide(self, inputs: Mapping[str, Bound], *, verify: bool = True) -> tuple[str, ...]:
        """Make the namespace hold exactly the content that ``inputs`` names for each variable.

        A value that was changed since its step wrote it is replaced by the stored one; ``verify=False`` says that the
        loaded ones were digested a moment ago.

        Returns:
            The variables whose loaded values had been changed and were replaced.

        Raises:
            StoreError: a stored value cannot be read back; its digest is then in :attr:`missing`.
        """
        evaluator = self._services.evaluator
        replaced = list[str]()
        for name, wanted in inputs.items():
            if self._in_place(name, wanted, verify=verify) or is_volatile(wanted.digest):
                continue
            if wanted is NO_VALUE or wanted is ABSENT:
                self._clear(name, wanted)
                continue
            if wanted.artifact is None:
                msg = f"{name} is not what its step wrote, and that could not be stored"
                raise DamagedValueError(msg)
            if name in evaluator.namespace:
                replaced.append(name)
            self.bind(name, wanted.artifact)
        evaluator.materialise(name for name in inputs if evaluator.pending(name))
        return tuple(replaced)

    def unset_missing(self, names: Iterable[str]) -> None:
        """Take away what stands for values that nobody made: bodies and conditions find it, other cells nothing."""
        namespace = self._services.evaluator.namespace
        for name in [name for name in names if namespace.get(name) is MISSING]:
            del namespace[name]

    def _clear(self, name: str, wanted: Bound) -> None:
        evaluator = self._services.evaluator
        self._bound.pop(name, None)
        evaluator.forget(name)
        if wanted is NO_VALUE:
            evaluator.namespace[name] = MISSING

    def _in_place(self, name: str, wanted: Bound, *, verify: bool) -> bool:
        evaluator = self._services.evaluator
        if wanted is NO_VALUE:
            return evaluator.namespace.get(name) is MISSING
        if evaluator.pending(name):
            known = self._bound.get(name)
            return known is not None and known.digest == wanted.digest
        if name not in evaluator.namespace:
            return wanted is ABSENT
        return not verify or self.live(name).digest == wanted.digest


def digest_or_unique(value: object) -> str:
    """Content digest, or for a value that has none an identifier that no other value ever gets."""
    return digest_or_why(value)[0]


def digest_or_why(value: object) -> tuple[str, str]:
    """The same, and what keeps a value from having a digest, ``""`` where nothing does."""
    try:
        return content.digest(value), ""
    except UndigestibleError as error:
        return unique_digest(), error.problem.message


def unique_digest() -> str:
    """A stand-in for a content digest that equals no other."""
    return f"volatile-{new_id()}"


def is_volatile(digest: str) -> bool:
    """Whether a digest stands for a value without a content digest."""
    return digest.startswith("volatile-")
