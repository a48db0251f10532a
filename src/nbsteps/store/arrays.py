"""NumPy arrays of fixed-size items as a description and one buffer: read in place, without unpickling."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from nbsteps.core.errors import DamagedValueError
from nbsteps.store.layout import Buffer, pack, unpack

if TYPE_CHECKING:
    import numpy as np

_KINDS = frozenset("biufcmMSUV")


def encode(value: np.ndarray[Any, Any]) -> list[Buffer] | None:
    """Chunks of the file, or None for an array that this format does not restore exactly."""
    import numpy as np  # noqa: PLC0415 (keeps import nbsteps fast)

    dtype = value.dtype
    if type(value) is not np.ndarray or dtype.kind not in _KINDS or dtype.hasobject or dtype.metadata:
        return None
    described = np.lib.format.dtype_to_descr(dtype)
    restored = np.lib.format.descr_to_dtype(described)
    if restored != dtype or restored.isalignedstruct != dtype.isalignedstruct:
        return None
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    flat = (value.T if fortran else np.ascontiguousarray(value)).reshape(-1)
    head = json.dumps({"dtype": described, "shape": value.shape, "fortran": fortran}).encode()
    return pack([head, _bytes(flat)])


def decode(data: memoryview) -> np.ndarray[Any, Any]:
    """The array, over ``data`` itself.

    Raises:
        DamagedValueError: the description does not fit the buffer.
    """
    import numpy as np  # noqa: PLC0415 (keeps import nbsteps fast)

    head, body = unpack(data)
    about = json.loads(bytes(head))
    dtype = np.lib.format.descr_to_dtype(_descr(about["dtype"]))
    shape = tuple(about["shape"])
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(body):
        msg = f"a stored array of {dtype} and shape {shape} has {len(body):,} bytes"
        raise DamagedValueError(msg)
    flat = np.frombuffer(body, dtype) if len(body) else np.empty(math.prod(shape), dtype)
    return flat.reshape(shape[::-1]).T if about["fortran"] else flat.reshape(shape)


def _bytes(flat: np.ndarray[Any, Any]) -> memoryview:
    """A contiguous array's memory; through uint8 because datetimes export no buffer."""
    if not flat.nbytes:
        return memoryview(b"")
    return memoryview(flat.view("u1"))  # type: ignore[arg-type]  # an array of bytes is a buffer


def _descr(found: Any) -> Any:
    """NumPy's description of a dtype as NumPy wants it: JSON turned its tuples into lists."""
    if not isinstance(found, list):
        return found
    return [_field(field) for field in found]


def _field(field: list[Any]) -> tuple[Any, ...]:
    name = tuple(field[0]) if isinstance(field[0], list) else field[0]
    shape = (tuple(field[2]),) if len(field) > 2 else ()  # noqa: PLR2004 (name, dtype and maybe a shape)
    return (name, _descr(field[1]), *shape)
