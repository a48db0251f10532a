"""Walks from the names that a body reads to everything behind them, and makes a part of each."""

from __future__ import annotations

import builtins
import sys
import threading
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from nbsteps.core.errors import UndigestibleError
from nbsteps.core.model import Part, PartKind
from nbsteps.core.source import MAGIC
from nbsteps.identity import content
from nbsteps.identity.classes import class_digest
from nbsteps.identity.codeobjects import Chain, Facts, code_digest, import_of, magics_of, module_texts
from nbsteps.identity.descriptions import described
from nbsteps.identity.distributions import EnvMode, package_part
from nbsteps.identity.environment import zone_part
from nbsteps.identity.feed import MISSING, digest_text, digest_texts
from nbsteps.identity.foreign import is_machinery, is_shell, kind_of
from nbsteps.identity.helpers import belongs_to_package, digester_of, origin_of, resolve
from nbsteps.identity.modules import ModuleParts, imported_names, module_parts
from nbsteps.identity.places import Origin, module_origin, name_origin
from nbsteps.identity.pristine import imports_own, is_pristine
from nbsteps.identity.settings import process_settings
from nbsteps.identity.texts import NO_TEXTS, Texts

_ABSENT: Final = object()
_BUILTINS: Final = vars(builtins)
_MACHINERY: Final = frozenset(
    {"__name__", "__file__", "__doc__", "__spec__", "__loader__", "__package__", "__builtins__", "__path__"}
)
_PLAIN: Final[tuple[Chain, ...]] = ((),)
Role = Literal["constant", "parameter", ""]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a walk follows and what it leaves alone; see :func:`nbsteps.identity.code.closure`."""

    stop: Collection[str] = ()
    ignore: Collection[str] = ()
    parameters: Collection[str] = ()
    env: EnvMode = "minor"


class Walk:
    """One walk. It is a :class:`~nbsteps.identity.helpers.Visitor` of the helpers it meets."""

    def __init__(self, namespace: Mapping[str, object], rules: Rules) -> None:
        self._namespace = namespace
        self._rules = rules
        self._parts: dict[tuple[PartKind, str], Part] = {}
        self._digests: dict[int, tuple[object, str]] = {}
        self._open: set[int] = set()
        self._queue: list[tuple[str, object]] = []
        self._labels: set[str] = set()
        self._modules: set[str] = set()
        self._chains: set[tuple[str, Chain]] = set()
        self._texts: set[str] = set()
        self._imports_by_name = False
        self._local_time = False
        self.reached: set[str] = set()
        self.uncacheable: list[str] = []
        self.warnings: list[str] = []

    def run(self, names: Iterable[str], facts: Facts, body: str = "") -> None:
        """Follow the names, and the imports and attribute chains of the body that reads them."""
        reads = {name: facts.reads.get(name, _PLAIN) for name in sorted(names)}
        with _current(self):
            self.read(self._namespace, facts._replace(reads=reads), "")
            for name in {each.module.partition(".")[0] for each in facts.imports if not each.level}:
                self._read_imported(name, facts.reads.get(name, ()))
            for name in sorted(magics_of(body)):
                self._read_magic(name)
            self.drain()
        self._add_modules(body)
        self._add_settings()
        if imports_own(facts.imports):
            self._parts = {at: part for at, part in self._parts.items() if not is_pristine(part)}

    def drain(self) -> None:
        """Make parts of all that was found and not looked at yet."""
        while self._queue:
            label, value = self._queue.pop()
            self._emit(label, value)

    def parts(self) -> tuple[Part, ...]:
        """The parts found, in an order that depends on nothing but their names."""
        return tuple(self._parts[at] for at in sorted(self._parts))

    # What helpers tell about themselves.

    def read(self, names: Mapping[str, object], facts: Facts, package: str) -> None:
        """Note the globals that code reads from ``names``, and the modules that it imports."""
        prefix = self._prefix(names)
        for name, chains in facts.reads.items():
            if (name not in _MACHINERY or _is_set_by_cell(names, prefix, name)) and name != MAGIC:
                self._read_name(names, prefix, name, chains, optional=name in facts.optional)
        if facts.imports:
            self._modules.update(imported_names(facts.imports, package))
        self._local_time = self._local_time or facts.local_time
        if facts.texts is not NO_TEXTS:
            self._read_texts(names, prefix, facts.texts)

    def _read_texts(self, names: Mapping[str, object], prefix: str, texts: Texts) -> None:
        """Note what texts name, as far as it is there."""
        for name in sorted(texts.among(names, () if prefix else self._rules.stop)):
            self._read_name(names, prefix, name, _PLAIN, optional=True)
        self._texts |= texts.modules
        self._imports_by_name = self._imports_by_name or texts.imports

    def names_of(self, module_name: str) -> Mapping[str, object]:
        """The globals of a module; those of the notebook for ``__main__``."""
        module = sys.modules.get(module_name)
        return self._namespace if module_name == "__main__" or module is None else vars(module)

    def package(self, module_name: str) -> None:
        """Note an installed distribution."""
        part = package_part(module_name, self._rules.env)
        if part is not None:
            self._parts[part.kind, part.name] = part

    def inner(self, value: object, where: str) -> str:
        """Digest of a value that a helper holds."""
        if self._is_code(value):
            return self.ref(value)
        try:
            return content.digest(value)
        except UndigestibleError as error:
            raise UndigestibleError(error.type_name, f"{where}{error.path}") from error

    def ref(self, value: object) -> str:
        """Digest that stands for code: of its name where it gets a part of its own, else of what it is made of."""
        if isinstance(value, types.ModuleType):
            self._note_module(value)
            return digest_texts("module", value.__name__)
        label = self._label(value)
        if label is None:
            return self._own(value)
        if label not in self._labels and label not in self._rules.ignore:
            self._labels.add(label)
            self._queue.append((label, value))
        return digest_texts("reference", label)

    # Names.

    def _prefix(self, names: Mapping[str, object]) -> str:
        """How labels of these globals start: nothing for the notebook's own, else the module's name and a dot."""
        if names is self._namespace:
            return ""
        module = names.get("__name__")
        return f"{module}." if isinstance(module, str) and module != "__main__" else ""

    def _read_name(
        self, names: Mapping[str, object], prefix: str, name: str, chains: Iterable[Chain], *, optional: bool
    ) -> None:
        label = prefix + name
        if label in self._rules.ignore:
            return
        if not prefix and name in self._rules.stop:
            self.reached.add(name)
            return
        value = names.get(name, _ABSENT)
        if value is _ABSENT:
            if name in _BUILTINS:
                self._read_foreign(builtins, (name,))
            elif not optional:
                self._parts[PartKind.VALUE, label] = Part(PartKind.VALUE, label, digest_texts(MISSING), MISSING)
            return
        if isinstance(value, types.ModuleType):
            self._bind_module(label, value)
            self._read_module(value, chains)
        elif label not in self._labels:
            self._labels.add(label)
            self._queue.append((label, value))

    def _bind_module(self, label: str, module: types.ModuleType) -> None:
        """A name that is not the module's own counts by which module it stands for."""
        name = module.__name__
        if label not in {name, f"{name.rpartition('.')[0]}.{name}"} and not label.endswith(f".{name}"):
            self._parts[PartKind.MODULE, label] = Part(PartKind.MODULE, label, digest_texts("module", name), name)

    def _read_module(self, module: types.ModuleType, chains: Iterable[Chain]) -> None:
        """A module counts by source or version; what is read from one of the user's counts as it is now, too."""
        origin = self._note_module(module)
        for chain in chains if origin is not Origin.LOCAL else ():
            self._read_foreign(module, chain)
        for chain in chains if origin is Origin.LOCAL else ():
            if chain and (module.__name__, chain) not in self._chains:
                self._chains.add((module.__name__, chain))
                names = vars(module)
                if chain[0] in names:
                    self.read(names, Facts({chain[0]: (chain[1:],)}, ()), "")

    def _read_imported(self, name: str, chains: Iterable[Chain]) -> None:
        """What the body reads from a module that it imports itself, where that is loaded."""
        module = sys.modules.get(name)
        if isinstance(module, types.ModuleType):
            self._read_module(module, chains)

    def _read_magic(self, name: str) -> None:
        """The function behind a magic: the user's own counts as it is, a package's by its version."""
        get_shell: Any = self._namespace.get("get_ipython") or _BUILTINS.get("get_ipython")
        shell: Any = get_shell() if callable(get_shell) else None
        for kind in ("line", "cell") if hasattr(shell, "find_magic") else ():
            found = shell.find_magic(name, kind)
            function = getattr(found, "__func__", found)
            label = f"%{name}"
            if not isinstance(function, types.FunctionType) or is_shell(function) or label in self._labels:
                continue
            if origin_of(function) is Origin.LOCAL:
                self._labels.add(label)
                self._queue.append((label, function))
            elif name_origin(function.__module__) is Origin.INSTALLED:
                self.package(function.__module__)

    def _read_foreign(self, module: types.ModuleType, chain: Chain) -> None:
        """What a cell may have put into a module that is not the user's: code, or a value as in ``sys.argv``."""
        names = vars(module)
        if not chain or chain[0] not in names:
            return
        value = names[chain[0]]
        label = f"{module.__name__}.{chain[0]}"
        if isinstance(value, types.ModuleType):
            self._read_foreign(value, chain[1:])
        elif label not in self._labels and label not in self._rules.ignore:
            kind = kind_of(module, chain[0], value)
            if kind:
                self._labels.add(label)
            if kind == "own":
                self._queue.append((label, value))
            elif kind == "plain":
                self._add_plain(label, value)

    def _add_plain(self, label: str, value: object) -> None:
        """A value of a library: it may be a secret, so that nothing of it is shown."""
        try:
            digest = content.digest(value)
        except UndigestibleError:
            return  # a registry of the library's own objects
        self._parts[PartKind.VALUE, label] = Part(PartKind.VALUE, label, digest, type(value).__name__, "constant")

    def _note_module(self, module: types.ModuleType) -> Origin:
        """Make a part of a module later. One that its name no longer finds has a source that nobody can tell."""
        name = module.__name__
        origin = module_origin(module)
        if origin is Origin.INSTALLED:
            self.package(name)
        elif origin is Origin.LOCAL:
            self._modules.add(name)
            if sys.modules.get(name) is not module and name not in self._rules.ignore:
                self.uncacheable.append(f"{name}: not the module that an import of that name gives")
        return origin

    def _label(self, value: object) -> str | None:
        """The name under which code gets a part of its own: one that finds this very object."""
        name = getattr(value, "__qualname__", None)
        module = getattr(value, "__module__", None)
        if not isinstance(name, str) or not isinstance(module, str):
            return None
        if module == "__main__":
            return name if self._namespace.get(name) is value and name not in self._rules.stop else None
        if not isinstance(value, (type, types.FunctionType)) or origin_of(value) is not Origin.LOCAL:
            return None
        return f"{module}.{name}" if resolve(module, name) is value else None

    # Parts.

    def _emit(self, label: str, value: object) -> None:
        try:
            part = self._part(label, value)
        except UndigestibleError as error:
            self.uncacheable.append(f"{label}: {error}")
            return
        if part is not None:
            self._parts[part.kind, part.name] = part

    def _part(self, label: str, value: object) -> Part | None:
        if not self._is_code(value):
            return None if is_machinery(type(value)) else self._constant(label, value)
        return None if is_shell(value) else Part(PartKind.HELPER, label, self._own(value), described(value))

    def _constant(self, label: str, value: object) -> Part:
        role: Role = "parameter" if label in self._rules.parameters else "constant"
        kind = type(value).__module__
        if name_origin(kind) is Origin.INSTALLED:
            self.package(kind)
        return Part(PartKind.VALUE, label, content.digest(value), content.summary(value), role)

    @staticmethod
    def _is_code(value: object) -> bool:
        return isinstance(value, (type, types.ModuleType)) or digester_of(value) is not None

    def _own(self, value: object) -> str:
        """Digest of what code is made of, once for each object; code that leads back to itself ends there."""
        known = self._digests.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        if id(value) in self._open:
            return digest_texts("recursion", getattr(value, "__qualname__", ""))
        self._open.add(id(value))
        try:
            digest = class_digest(value, self) if isinstance(value, type) else self._callable(value)
        finally:
            self._open.discard(id(value))
        self._digests[id(value)] = (value, digest)
        return digest

    def _callable(self, value: object) -> str:
        digester = digester_of(value)
        return content.digest(value) if digester is None else digester(value, self)

    def _add_settings(self) -> None:
        if self._local_time:
            self._parts[PartKind.ENV, "TZ"] = zone_part()
        for name, text in process_settings():
            self._parts[PartKind.VALUE, name] = Part(PartKind.VALUE, name, digest_text(text), text, "setting")

    def _add_modules(self, body: str) -> None:
        if self._imports_by_name:
            texts = self._texts | module_texts(body)
            self._modules.update(imported_names(map(import_of, texts), ""))
        names = [name for name in self._modules if name not in self._rules.ignore]
        if not names:
            return
        found: ModuleParts = module_parts(names, self._rules.env)
        for part in found.parts:
            self._parts[part.kind, part.name] = part
        for name in found.edited:
            self.uncacheable.append(f"{name}: edited after it was imported")
            self.warnings.append(f"module {name} was edited after it was imported: restart the kernel or reload it")
        self.uncacheable.extend(f"{name}: a module without source" for name in found.sourceless)


def _is_set_by_cell(names: Mapping[str, object], prefix: str, name: str) -> bool:
    """Whether a name that Python gives to each module is one that a cell gave a text of its own."""
    if prefix or not isinstance(names.get(name), str):
        return False
    return name == "__file__" or (name == "__name__" and names[name] != "__main__")


class _Active(threading.local):
    walk: Walk | None = None


_ACTIVE: Final = _Active()


class _current:  # noqa: N801 - reads as a statement
    """While a walk is current, code met inside values is followed by it."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._before: Walk | None = None

    def __enter__(self) -> None:
        self._before, _ACTIVE.walk = _ACTIVE.walk, self._walk

    def __exit__(self, *_: object) -> None:
        _ACTIVE.walk = self._before


def code_inside_value(value: object) -> str | None:
    """Digest of code that content met inside a value; None where its qualified name says enough.

    During a walk the code's own reads become parts of that walk. Otherwise, as in a step's output, the digest covers
    everything behind the code.

    Raises:
        UndigestibleError: something behind the code has no content.
    """
    if isinstance(value, types.CodeType):
        return code_digest(value)
    walk = _ACTIVE.walk
    if walk is not None:
        if belongs_to_package(value) and not isinstance(value, types.ModuleType):
            walk.ref(value)
            return None
        return walk.ref(value)
    if isinstance(value, types.ModuleType):
        return digest_texts("module", value.__name__) if module_origin(value) is Origin.LOCAL else None
    if belongs_to_package(value):
        return None
    names = getattr(value, "__globals__", {})
    walk = Walk(names, Rules(env="off"))
    with _current(walk):
        digest = walk.ref(value)
        walk.drain()
    if walk.uncacheable:
        raise UndigestibleError(type(value).__name__, "", walk.uncacheable[0])
    return digest_texts("code", digest, *(f"{part.kind}{part.name}{part.digest}" for part in walk.parts()))


content.register_code_digester(code_inside_value)
