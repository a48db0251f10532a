"""For any value: rebuilt it digests the same, and any single change shows."""

import copy
import decimal
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nbsteps.identity.content import digest
from tests.identity.strategies import COLUMNS, LEAVES, VALUES, column, some_arrays, some_frames


def told(value):
    """A slow and plain description: two values are equal in content when theirs are."""
    return f"{type(value).__name__}({inside(value)})"


def inside(value):
    match value:
        case list() | tuple():
            told_value = ",".join(map(told, value))
        case dict():
            told_value = ",".join(f"{told(key)}:{told(item)}" for key, item in value.items())
        case set() | frozenset():
            told_value = ",".join(sorted(map(told, value)))
        case float() | complex():
            told_value = np.array([value]).tobytes().hex()
        case decimal.Decimal():
            told_value = str(value.as_tuple())
        case _:
            told_value = ascii(value)
    return told_value


@given(VALUES)
def test_rebuilt_values_are_alike(value):
    assert digest(copy.deepcopy(value)) == digest(value)
    assert digest(pickle.loads(pickle.dumps(value))) == digest(value)
    assert digest([value, value]) == digest([value, copy.deepcopy(value)])


@given(VALUES, VALUES)
def test_digests_are_equal_when_content_is(one, other):
    assert (digest(one) == digest(other)) == (told(one) == told(other))


def places(value, path=()):
    """Paths to everything that can be replaced inside a value."""
    yield path
    if isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from places(item, (*path, place))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))


def replaced(value, path, other):
    if not path:
        return other
    head, *rest = path
    if isinstance(value, dict):
        return {
            key: replaced(item, rest, other) if key == head and type(key) is type(head) else item
            for key, item in value.items()
        }
    items = [replaced(item, rest, other) if place == head else item for place, item in enumerate(value)]
    return type(value)(items)


@given(VALUES, LEAVES, st.randoms())
def test_any_single_change_shows(value, leaf, chance):
    path = chance.choice(list(places(value)))
    changed = replaced(value, path, leaf)
    assume(told(changed) != told(value))
    assert digest(changed) != digest(value)


def layouts(value):
    yield value.copy()
    yield np.asfortranarray(value) if value.ndim else value.copy()
    if value.ndim:
        spread = np.repeat(value, 2, axis=value.ndim - 1)
        yield spread[..., ::2]
        yield np.ascontiguousarray(value[::-1])[::-1]


@given(some_arrays())
def test_layouts_of_arrays_are_alike(value):
    assert {digest(other) for other in layouts(value)} == {digest(value)}


@given(some_arrays(), some_arrays())
def test_arrays_are_alike_when_type_shape_and_bytes_are(one, other):
    equal = (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    assert (digest(one) == digest(other)) == equal


@given(some_arrays(), st.data())
def test_any_changed_byte_of_an_array_shows(value, data):
    assume(value.nbytes and value.dtype.kind not in "SU?")
    changed = value.copy()
    flat = changed.reshape(-1).view(np.uint8)
    place = data.draw(st.integers(0, flat.size - 1))
    flat[place] ^= data.draw(st.integers(1, 255))
    assert digest(changed) != digest(value)


def rebuilt(frame):
    """Equal content by another way: column by column, in two pieces, through pickle."""
    yield frame.copy()
    yield pickle.loads(pickle.dumps(frame))
    yield pd.DataFrame({name: frame[name].copy() for name in frame}, index=frame.index, columns=frame.columns)
    if (
        len(frame) > 1 and frame.shape[1] and int(pd.__version__.partition(".")[0]) > 2
    ):  # pandas 2 turns NA into NaN here
        yield pd.concat([frame[:1], frame[1:]])


@settings(deadline=None)
@given(some_frames())
def test_rebuilt_frames_are_alike(frame):
    assert {digest(other) for other in rebuilt(frame)} == {digest(frame)}


@settings(deadline=None)
@given(some_frames(), st.data())
def test_any_changed_cell_of_a_frame_shows(frame, data):
    assume(frame.size)
    row = data.draw(st.integers(0, len(frame) - 1))
    place = data.draw(st.integers(0, frame.shape[1] - 1))
    items = list(frame.iloc[:, place].astype(object))
    dtype = str(frame.dtypes.iloc[place])
    other = data.draw(COLUMNS["string" if dtype == "str" else dtype])
    assume(not same_cell(items[row], other))
    changed = frame.copy()
    items[row] = other
    isolated = column(items, dtype).set_axis(frame.index)
    changed.isetitem(place, isolated.astype(frame.dtypes.iloc[place]))
    assume(not same_cell(changed.iloc[row, place], frame.iloc[row, place]))
    assert digest(changed) != digest(frame)


def same_cell(one, other):
    if type(one) is float and type(other) is float:
        return np.float64(one).tobytes() == np.float64(other).tobytes()
    if pd.isna(one) and pd.isna(other):
        return True
    return type(one) is type(other) and one == other


CELLS = {
    pa.int32(): st.integers(-5, 5),
    pa.string(): st.text("aä", max_size=3),
    pa.bool_(): st.booleans(),
    pa.list_(pa.int8()): st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=3),
    pa.struct([("x", pa.int8()), ("y", pa.string())]): st.fixed_dictionaries(
        {"x": st.one_of(st.none(), st.integers(-5, 5)), "y": st.one_of(st.none(), st.text("ab", max_size=2))}
    ),
    pa.map_(pa.string(), pa.int8()): st.lists(st.tuples(st.text("ab", max_size=2), st.integers(-5, 5)), max_size=3),
}


@given(st.data())
def test_cuts_of_arrow_arrays_are_alike_and_changes_show(data):
    kind = data.draw(st.sampled_from(list(CELLS)))
    cells = st.one_of(st.none(), CELLS[kind])
    items = data.draw(st.lists(cells, min_size=1, max_size=20))
    padding = data.draw(st.lists(cells, max_size=9))
    whole = pa.chunked_array([pa.array(items, kind)])
    cut = data.draw(st.integers(0, len(items)))
    padded = pa.array(padding + items + padding, kind)[len(padding) : len(padding) + len(items)]
    assert digest(pa.chunked_array([padded[:cut], padded[cut:]])) == digest(whole)
    place, other = data.draw(st.integers(0, len(items) - 1)), data.draw(cells)
    changed = pa.chunked_array([pa.array([*items[:place], other, *items[place + 1 :]], kind)])
    assert (digest(changed) == digest(whole)) == (items[place] == other)
