"""Collects the facts that a decision needs, from identity, bindings and the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from nbsteps.core.decide import Decision, Facts, decide
from nbsteps.core.graph import Graph
from nbsteps.core.key import key_lines, make_key
from nbsteps.core.model import Artifact, CacheMode, Part, PartKind, Result, Step, StepOptions
from nbsteps.core.names import analyse
from nbsteps.core.policies import MapSource
from nbsteps.core.reasons import Reason
from nbsteps.core.states import GOOD, StepState
from nbsteps.engine.bindings import Bindings, Bound, is_volatile
from nbsteps.engine.services import Services
from nbsteps.identity import code, environment, files, settings
from nbsteps.identity.feed import digest_texts
from nbsteps.identity.trees import body_digest
from nbsteps.ports import Last, Recall

_FEW: Final = 8
"""Of so many steps one may turn out not to be in the bulk read before that is made again."""
_DONE = GOOD | {StepState.SKIPPED}


class Identity(NamedTuple):
    """What a step is, before it runs.

    Attributes:
        key: digest of everything.
        static: digest of everything but other steps' outputs.
        parts: the ingredients.
        inputs: variable to its content, for each input whose content is known.
        uncacheable: what keeps the result from having an identity.
        reasons: why the body runs, once that is decided.
    """

    key: str
    static: str
    parts: tuple[Part, ...]
    inputs: Mapping[str, Bound]
    uncacheable: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()


class _Static(NamedTuple):
    parts: tuple[Part, ...]
    reached: frozenset[str]
    uncacheable: tuple[str, ...]
    warnings: tuple[str, ...]
    digest: str
    lines: tuple[str, ...]


class Judge:
    """Facts for one graph. Make a new one when the graph changed."""

    def __init__(self, services: Services, bindings: Bindings, graph: Graph) -> None:
        self._services = services
        self._bindings = bindings
        self._graph = graph
        self._stop = graph.written()
        self._statics: dict[str, tuple[int, _Static]] = {}
        self._settled = (-1, False)
        self._recall = Recall()
        self._asked: tuple[str, ...] = ()
        self._surprises = 0
        self._warned: set[str] = set()
        self._package_parts: dict[str, Part | None] = {}
        self._context = code.CodeContext(services.root, services.folder, services.config.env)

    def recall(self, steps: tuple[str, ...], before: Mapping[str, Last] | None = None) -> None:
        """Read in bulk what the store knows of these steps as they are now; ``before`` says how some ended earlier."""
        self._asked, self._surprises = steps, 0
        found = self._read()
        self._recall = replace(found, last={**found.last, **before}) if before else found

    def _read(self) -> Recall:
        statics = [self._static(self._graph.steps[name]).digest for name in self._asked]
        return self._services.store.recall(self._services.notebook, self._asked, statics)

    def last(self, step: str) -> Last | None:
        """How a step ended the last time."""
        return self._recall.last.get(step)

    def had_result(self, step: str) -> bool:
        """Whether the step has had a result, with outputs or without."""
        last = self.last(step)
        return last is not None and last.result is not None

    def latest(self, step: str) -> Mapping[str, Artifact]:
        """A step's outputs the last time it had any."""
        last = self.last(step)
        if last is None or last.result is None:
            return {}
        return last.result.outputs

    def identify(self, step: Step, inputs: Mapping[str, Bound], given: tuple[Part, ...] = ()) -> Identity:
        """The step's key under the given content of its inputs, and of what the engine binds for it."""
        static = self._static(step)
        if step.options.map:
            given += map_parts(step.options)
        bound = dict(inputs)
        uncacheable = list(static.uncacheable)
        for name in sorted(static.reached.difference(bound, step.outputs)):
            if self._bindings.present(name):
                bound[name] = self._bindings.live(name)
        own = tuple(
            [Part(PartKind.VALUE, name, value.digest, _shown(value), "input") for name, value in bound.items()]
        ) + self._packages(bound)
        own += given
        volatile = {name: value for name, value in bound.items() if is_volatile(value.digest)}
        uncacheable += [f"{name}: {value.why or 'has no content digest'}" for name, value in volatile.items()]
        return Identity(make_key(own, static.lines), static.digest, static.parts + own, bound, tuple(uncacheable))

    def common(self, step: Step, inputs: Mapping[str, Bound]) -> Identity:
        """What the items of a map share: the step without what it runs over, unless its code reads that itself."""
        sources = step.options.map
        over = {source.items for source in sources} - analyse(step.body).reads
        options = replace(step.options, map=tuple(MapSource(source.item, "") for source in sources))
        reads = step.reads - over | self._asking(step.options)
        shared = replace(step, name=f"{step.name}[]", reads=reads, options=options)
        return self.identify(shared, {name: bound for name, bound in inputs.items() if name not in over})

    def _asking(self, options: StepOptions) -> frozenset[str]:
        """Functions that tell a map's items apart; whatever else ``--map-key`` reads shows in its value."""
        if not options.map_key:
            return frozenset()
        namespace = self._services.evaluator.namespace
        asked = analyse(options.map_key.strip()).reads - {source.item for source in options.map}
        return frozenset(name for name in asked.difference(self._stop) if callable(namespace.get(name)))

    def _packages(self, inputs: Mapping[str, Bound]) -> tuple[Part, ...]:
        """Parts for the distributions that the inputs' types come from: their methods are code that runs, too."""
        found: dict[str, Part] = {}
        for value in inputs.values():
            module = value.module
            if module not in self._package_parts:
                self._package_parts[module] = code.module_package(module, self._context)
            part = self._package_parts[module]
            if part is not None:
                found[part.name] = part
        return tuple(found.values())

    def facts(self, step: Step, identity: Identity, *, forced: bool, run_id: str, fresh: bool = False) -> Facts:
        """Everything that ``decide`` wants to know.

        Args:
            step: the step.
            identity: as :meth:`identify` made it.
            forced: whether the user wants it run whatever is stored.
            run_id: the run that asks.
            fresh: ask the store once more, for what others committed since the bulk read.
        """
        candidates = self._services.store.find(identity.key) if fresh else self._candidates(identity)
        last = self.last(step.name)
        result = None if last is None else last.result
        needs_old = not candidates and result is not None
        uncacheable = identity.uncacheable
        if needs_old and result is not None and result.key == identity.key:
            uncacheable += _unkept(step, result, uncacheable)
        return Facts(
            options=step.options,
            parts=identity.parts,
            candidates=candidates,
            changed=self.changed(candidates),
            uncacheable=uncacheable,
            forced=forced,
            last_state=None if last is None else last.state,
            last_parts=result.parts if needs_old and result is not None else None,
            now=self._services.clock.now(),
            run_id=run_id if last is None or step.options.cache is not CacheMode.RUN else self._resumed(last, run_id),
            missing=frozenset(self._bindings.missing),
        )

    def _candidates(self, identity: Identity) -> tuple[Result, ...]:
        """Results under a key, from the bulk read where that is still about the step as it is.

        Once context cells were executed it may be about none of the steps: after a few it is made again, rarely enough
        for a run to take time by its steps even if such cells stand between all of them. How steps ended before stays.
        """
        for _ in range(2):
            found = self._recall.results.get(identity.key, ())
            if found or identity.static in self._recall.statics:
                return found
            self._surprises += 1
            if self._surprises * _FEW < len(self._asked):
                break
            self._surprises = 0
            self._recall = replace(self._read(), last=self._recall.last)
        return self._services.store.find(identity.key)

    def would(self, step: Step, identity: Identity, result: Result) -> Decision:
        """What would be decided if this result were stored under the step's key."""
        facts = self.facts(step, identity, forced=False, run_id="")
        return decide(facts._replace(candidates=(result,), changed=self.changed((result,))))

    def _resumed(self, last: Last, run_id: str) -> str:
        """The run that the asking one goes on with: the step's last one, if that left something of this run undone."""
        undone = any(other.state not in _DONE for other in self._recall.last.values())
        return last.result.run_id if undone and last.state in GOOD and last.result is not None else run_id

    def warnings(self, step: Step) -> tuple[str, ...]:
        """What is doubtful about the step's code, each said once."""
        texts = self._static(step).warnings
        fresh = tuple(text for text in texts if text not in self._warned) if texts else ()
        self._warned.update(fresh)
        return fresh

    def drift(self, step: Step, identity: Identity) -> tuple[str, ...]:
        """Names of constants behind the step that are no longer what they were before its body ran."""
        before = {part.name: part.digest for part in identity.parts if part.kind is PartKind.VALUE}
        now = self._static(step).parts
        return tuple(
            part.name
            for part in now
            if part.kind is PartKind.VALUE and before.get(part.name, part.digest) != part.digest
        )

    def changed(self, candidates: tuple[Result, ...]) -> dict[int, tuple[Part, ...]]:
        """By a candidate's position: what it observed that is no longer the same, as it is now."""
        found = dict[int, tuple[Part, ...]]()
        for position, result in enumerate(candidates):
            if result.observed:
                read = [part for part in result.observed if part.kind is PartKind.FILE]
                asked = [part for part in result.observed if part.kind is PartKind.ENV]
                parts = (*files.changed(read, self._services.folder), *environment.changed_env(asked))
                if parts:
                    found[position] = parts
        return found

    def _static(self, step: Step) -> _Static:
        epoch, found = self._statics.get(step.name, (-1, None))
        if found is not None and epoch == self._services.epoch:
            return found
        fresh = self._inspect(step)
        self._statics[step.name] = (self._services.epoch, fresh)
        return fresh

    def _any_settings(self) -> bool:
        epoch, found = self._settled
        if epoch != self._services.epoch:
            found = settings.any_settings()
            self._settled = (self._services.epoch, found)
        return found

    def _inspect(self, step: Step) -> _Static:
        options = step.options
        closure = code.closure(
            step.reads - step.scratch,
            self._services.evaluator.namespace,
            stop=self._stop,
            ignore=options.ignore,
            parameters=self._graph.parameters,
            context=self._context,
            body=step.body,
            settled=self._any_settings(),
        )
        parts = (environment.python_part(), *code.body_part(step.body, step.outputs), *closure.parts)
        if options.files:
            parts += files.declared_files(options.files, self._services.folder)
        if options.env:
            parts += environment.declared_env(options.env)
        if options.version:
            parts += (Part(PartKind.VERSION, "", options.version, options.version),)
        warnings = (*closure.warnings, *(f"uncacheable: {text}" for text in closure.uncacheable))
        lines = tuple(key_lines(parts))
        return _Static(parts, closure.reached, closure.uncacheable, warnings, make_key((), lines), lines)


def map_parts(options: StepOptions) -> tuple[Part, ...]:
    """Which variable takes its values from where, and what tells items apart: with the same body, other results."""
    pairs = sorted(f"{source.item}={source.items}" for source in options.map)
    digest = digest_texts("map", *pairs, body_digest(options.map_key.strip()) if options.map_key else "")
    return (Part(PartKind.MAP, "", digest, ",".join(pairs) + (f" by {options.map_key}" if options.map_key else "")),)


def _unkept(step: Step, result: Result, known: tuple[str, ...]) -> tuple[str, ...]:
    """What kept the last result from being reused, beyond what is known; names of outputs are told as such."""
    texts = (text for text in result.uncacheable if text not in known)
    return tuple(f"output {text}" if text.partition(":")[0] in step.outputs else text for text in texts)


def _shown(value: Bound) -> str:
    return "" if value.artifact is None else value.artifact.summary
