"""What a body depends on without naming it in its code.

Modules imported by a computed name, classes that unpickling looks up, tables in duckdb's own database. They are parts
among those of the environment, verified by what is there at the next decision.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

from nbsteps.core.errors import UndigestibleError
from nbsteps.core.model import Part, PartKind
from nbsteps.identity import content
from nbsteps.identity.feed import MISSING, digest_texts
from nbsteps.identity.helpers import resolve
from nbsteps.identity.modules import module_parts
from nbsteps.identity.places import Origin, name_origin
from nbsteps.identity.traces import unheard

_MAIN: Final = "__main__."
TABLES: Final = "duckdb.default_connection()"
COMPUTED: Final = "a file whose name a query computes"
_ASKED: Final = itertools.count()
_COUNT: Final = """
    select (select count(*) from duckdb_tables() where not internal)
         + (select count(*) from duckdb_views() where not internal)
"""
_BY_NAME: Final = " (by name)"


def class_name(qualname: str) -> str:
    """How a class or function of the notebook is named among the parts."""
    return f"{_MAIN}{qualname}"


def class_part(name: str) -> Part | None:
    """The part for a class or function of the notebook as it is now; None for other names."""
    if not name.startswith(_MAIN):
        return None
    found = resolve("__main__", name.removeprefix(_MAIN))
    try:
        digest = content.digest(found) if found is not None else digest_texts(MISSING)
    except UndigestibleError:
        digest = digest_texts(MISSING)
    return Part(PartKind.ENV, name, digest, role="helper")


def module_name(name: str) -> str:
    """How a module that was looked up by its name is named among the parts; ``""`` for one that is not the user's."""
    return f"{name}{_BY_NAME}" if name != "__main__" and name_origin(name) is Origin.LOCAL else ""


def module_part(name: str) -> Part | None:
    """The part for a module of the user and all that it imports, as they are now; None for other names."""
    if not name.endswith(_BY_NAME):
        return None
    found = module_parts([name.removesuffix(_BY_NAME)], "off")
    texts = [text for part in found.parts for text in (part.name, part.digest)]
    return Part(PartKind.ENV, name, digest_texts("modules", *texts, *found.sourceless), role="module")


def tables_part(name: str) -> Part | None:
    """The part for duckdb's own database, or a file of a computed name: no content to compare, so never the same."""
    if name == COMPUTED:
        return Part(PartKind.ENV, name, digest_texts("computed", str(next(_ASKED))), role="state")
    return Part(PartKind.ENV, name, digest_texts("tables now"), role="state") if name == TABLES else None


def tables_read(duckdb: Any) -> Part | None:
    """The part for a body that finds tables in duckdb's own database; None where there are none."""
    with unheard():
        connection = duckdb.default_connection().cursor()
        try:
            count = connection.execute(_COUNT).fetchone()[0]
        finally:
            connection.close()
    return Part(PartKind.ENV, TABLES, digest_texts("tables read"), role="state") if count else None
