"""Which generators a body drew from: states are compared part by part, not digested."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nbsteps.identity.randomness import Draws

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
        SHARED.set_bit_generator(SHARED.PCG64(1))
        draws.finish()
        assert [name for name, _ in draws.drawn()] == ["numpy.random.seed"]
        draws = Draws()
        draws.finish()
        assert not list(draws.drawn())
    finally:
        SHARED.set_bit_generator(generator)
