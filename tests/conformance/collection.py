"""All probes, in order."""

from __future__ import annotations

from tests.conformance.probes import aliases, code, environment, files, harmless, modules, mutation, packages, values

PROBES = (
    *values.PROBES,
    *code.PROBES,
    *modules.PROBES,
    *packages.PROBES,
    *files.PROBES,
    *environment.PROBES,
    *mutation.PROBES,
    *aliases.PROBES,
    *harmless.PROBES,
)
assert len({probe.name for probe in PROBES}) == len(PROBES), "names are unique"
