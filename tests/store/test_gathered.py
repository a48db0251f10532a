"""The output of a map in the store: a list of values that are kept once."""

import numpy as np
import pytest

from nbsteps.core.errors import DamagedValueError
from nbsteps.core.mapped import ItemError, MapOutput, item_key
from nbsteps.identity import content
from nbsteps.identity.content.mapped import items_digest
from nbsteps.store.store import DuckStore

ERRORS = (ItemError(1, "7", "ValueError", "no"),)


def put(store, values, errors=()):
    artifacts = [store.put(value, content.digest(value)) for value in values]
    return store.put_items(artifacts, errors, items_digest([each.digest for each in artifacts], errors))


@pytest.fixture
def store(tmp_path):
    opened = DuckStore(tmp_path / ".nbsteps")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ([], ()),
        ([1, "a", None, [1, (2,)]], ERRORS),
        ([np.arange(5), np.zeros(100_000)], ()),
        ([{"n": n} for n in range(500)], ()),
    ],
)
def test_what_is_put_comes_back(tmp_path, values, errors):
    first = DuckStore(tmp_path / ".nbsteps")
    artifact = put(first, values, errors)
    for store in (first, DuckStore(tmp_path / ".nbsteps")):
        found = store.get(artifact)
        assert isinstance(found, MapOutput)
        np.testing.assert_equal(list(found), values)
        assert found.errors == errors
        assert content.digest(found) == artifact.digest
        store.close()


def test_equal_items_are_stored_once(store):
    value = np.zeros(200_000)
    put(store, [value, value.copy(), value.copy()])
    objects = [path for path in (store.folder / "objects").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size > value.nbytes / 2 for path in objects) == 1


def test_a_damaged_item_is_named(store):
    values = [np.zeros(200_000), np.ones(200_000)]
    artifact = put(store, values)
    files = [path for path in (store.folder / "objects").rglob("*") if path.is_file()]
    (damaged,) = [path for path in files if path.read_bytes().count(b"\xf0\x3f") > 1000]
    damaged.write_bytes(b"")
    with pytest.raises(DamagedValueError) as caught:
        store.get(artifact)
    assert caught.value.digest == content.digest(values[1])


def test_digests_tell_values_errors_and_lists_apart():
    outputs = [MapOutput(values) for values in ([], [1], [1.0], [1, 1], [[1]])]
    digests = [content.digest(output) for output in (*outputs, MapOutput([1], ERRORS), [1])]
    assert len(set(digests)) == len(digests)


def test_a_key_is_made_of_base_and_digests():
    made = [("a", ["b"]), ("ab", [""]), ("a", ["b", ""]), ("a", ["", "b"]), ("a", [])]
    assert len({item_key(base, digests) for base, digests in made}) == len(made)
