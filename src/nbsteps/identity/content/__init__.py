"""Content digests: is this value still the same?

Content, not identity: what is equal digests equal, here and in another process, and what a program could tell apart
digests apart. Decisions where both readings are possible:

- Aliasing never counts: two references to one list digest as two equal lists, also in values that hold themselves.
- NaNs are told by their bits, as is ``-0.0`` from ``0.0``: the usual NaN always equals itself.
- Instance attributes count by name, not by the order in which they were set; the order of a dict does count.
- A memory map equals the array it holds, C order equals Fortran order, a RangeIndex equals an Index of its integers.
- A DatetimeIndex's ``freq``, a MultiIndex's levels and a categorical's unused categories count: programs see them.
- A class counts by its name and, through the hook of :func:`register_code_digester`, by its source.
"""

from __future__ import annotations

from nbsteps.identity.content.registry import CodeDigester, register, register_code_digester
from nbsteps.identity.content.summary import summary
from nbsteps.identity.content.walk import digest_bytes

__all__ = ["CodeDigester", "digest", "register", "register_code_digester", "summary"]


def digest(value: object) -> str:
    """The digest of a value's content, 32 hexadecimal digits, the same in every process.

    Raises:
        UndigestibleError: the value, or something inside it, has no content (an open connection, a generator, a
            lock), or is code and no hook is registered; it names the type and the path inside the value.
    """
    return digest_bytes(value).hex()
