"""Which generators a body drew from: states are compared part by part, not digested."""

from __future__ import annotations

import random
import sys
from types import ModuleType

import numpy as np
import pytest

from nbsteps.identity import randomness
from nbsteps.identity.randomness import Draws, seeding_part

SHARED = np.random
"""The process-wide generator: what new code should not use, and what this is about."""


def check(body, *, drawn):
    """A body of calls draws from the named generators, and from no other."""
    before = random.getstate(), SHARED.get_state()
    try:
        draws = Draws()
        body()
        draws.finish()
    finally:
        random.setstate(before[0])
        SHARED.set_state(before[1])
    assert {name for name, _ in draws.drawn()} == set(drawn)


def _rewound():
    state = random.getstate()
    random.random()
    random.setstate(state)


def _half_a_pair():
    random.gauss(0, 1)


def _other_generator():
    generator = SHARED.get_bit_generator()
    SHARED.set_bit_generator(SHARED.PCG64(1))
    try:
        assert SHARED.get_state(legacy=False)["bit_generator"] == "PCG64"
    finally:
        SHARED.set_bit_generator(generator)


@pytest.mark.parametrize(
    ("body", "drawn"),
    [
        (lambda: None, []),
        (random.random, ["random.seed"]),
        (lambda: random.choice([1, 2]), ["random.seed"]),
        (_half_a_pair, ["random.seed"]),
        (_rewound, []),
        (SHARED.rand, ["numpy.random.seed"]),
        (SHARED.standard_normal, ["numpy.random.seed"]),
        (lambda: (random.random(), SHARED.rand()), ["random.seed", "numpy.random.seed"]),
        (lambda: SHARED.default_rng(1).random(), []),
        (lambda: random.Random(1).random(), []),
        (_other_generator, []),
    ],
)
def test_a_generator_was_drawn_from_if_its_state_moved_on(body, drawn):
    check(body, drawn=drawn)


def test_the_second_of_a_pair_of_normal_numbers_is_drawn_although_no_word_moves():
    before = SHARED.get_state()
    try:
        SHARED.seed(0)
        SHARED.randn()
        draws = Draws()
        SHARED.randn()
        draws.finish()
    finally:
        SHARED.set_state(before)
    assert [name for name, _ in draws.drawn()] == ["numpy.random.seed"]


def test_a_state_of_another_kind_of_generator_counts_as_moved():
    generator = SHARED.get_bit_generator()
    try:
        draws = Draws()
        put = SHARED.set_bit_generator
        getattr(put, "__wrapped__", put)(SHARED.PCG64(1))  # by a way that nobody hears of
        draws.finish()
        assert [name for name, _ in draws.drawn()] == ["numpy.random.seed"]
        draws = Draws()
        draws.finish()
        assert not list(draws.drawn())
    finally:
        SHARED.set_bit_generator(generator)


def _torch(monkeypatch):
    """A stand-in for torch: a module with a generator, whose functions live in ``torch.random``."""
    monkeypatch.setattr(randomness, "_seedings", {})
    generator = np.random.RandomState(0)
    inner, torch = ModuleType("torch.random"), ModuleType("torch")

    class Tensor:
        def __init__(self, state):
            self.numpy = lambda: state

    def manual_seed(seed):
        generator.seed(seed)

    def get_rng_state():
        return Tensor(np.append(generator.get_state()[1], generator.get_state()[2]))

    manual_seed.__module__ = "torch.random"
    inner.manual_seed = torch.manual_seed = manual_seed
    torch.get_rng_state, torch.rand = get_rng_state, generator.rand
    monkeypatch.setitem(sys.modules, "torch.random", inner)
    monkeypatch.setitem(sys.modules, "torch", torch)
    randomness.prepare(torch)
    assert inner.manual_seed is torch.manual_seed is not manual_seed
    return torch


def test_torch_where_it_is_loaded(monkeypatch):
    torch = _torch(monkeypatch)
    check(torch.rand, drawn=["torch.manual_seed"])
    check(lambda: None, drawn=[])
    check(lambda: [torch.manual_seed(1), torch.rand()], drawn=[])
    found = set()
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        found.add(seeding_part("torch.manual_seed").digest)
    assert len(found) == 2


def test_torch_while_it_is_being_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    check(lambda: None, drawn=[])
