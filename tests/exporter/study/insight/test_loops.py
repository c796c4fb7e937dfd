"""How well columns tell flags, against counting by hand and against made-up data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.study.insight import loops
from exporter.study.insight.loops import Flags, Question
from harness.networks import random_network


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30))
def test_area_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], np.float32)
    flags = np.array([flag for _, flag in pairs])
    if flags.all() or not flags.any():
        return
    points = [
        float(high > low) + 0.5 * float(high == low)
        for high in scores[flags]
        for low in scores[~flags]
    ]
    assert loops.auc(scores[:, np.newaxis], flags)[0] == pytest.approx(np.mean(points))


def question(flags: Flags) -> Question:
    """Choose on the first half, measure on the second."""
    first = np.arange(len(flags)) < len(flags) // 2
    return Question(flags, first, ~first)


def test_the_column_is_chosen_on_the_first_images_and_measured_on_the_second() -> None:
    flags = np.tile([True, False], 100)
    asked = question(flags)
    lucky = np.where(asked.first & flags, 1, 0)
    weaker = np.where(np.arange(200) % 20 == 0, 0, flags)
    scores = np.stack([weaker, lucky], axis=1).astype(np.float32)
    column, area = loops.best_column(scores, asked)
    assert (column, area) == (1, 0.5)


def test_a_column_may_mean_the_opposite_but_not_of_what_it_meant_at_first() -> None:
    flags = np.tile([True, False], 100)
    asked = question(flags)
    opposite = (~flags).astype(np.float32)
    assert loops.best_column(opposite[:, np.newaxis], asked) == (0, 1.0)
    turned = np.where(asked.first, flags, ~flags).astype(np.float32)
    assert loops.best_column(turned[:, np.newaxis], asked) == (0, 0.0)


def test_read_out_combines_columns_and_learns_nothing_from_the_second_images() -> None:
    generator = np.random.default_rng(0)
    scores = generator.standard_normal((2000, 5)).astype(np.float32)
    scores[:, 4] = 7
    asked = question(scores[:, 0] + scores[:, 1] > 0)
    assert loops.read_out(scores, asked) > 0.99
    assert loops.best_column(scores, asked)[1] < 0.9
    chance = question(generator.random(2000) > 0.5)
    assert loops.read_out(scores, chance) == pytest.approx(0.5, abs=0.06)


def test_group_sizes() -> None:
    asked = question(np.array([True, False, False, True, True, True, False, True]))
    assert asked.group_sizes() == (2, 2, 3, 1)


def test_shuffled_networks_keep_their_weights_in_other_places() -> None:
    network = random_network((9, 4, 3))
    shuffled = loops.shuffle(network, np.random.default_rng(0))
    for before, after in zip(network.layers, shuffled.layers, strict=True):
        np.testing.assert_array_equal(
            np.sort(before.weights.ravel()), np.sort(after.weights.ravel())
        )
        assert not np.array_equal(before.weights, after.weights)
        np.testing.assert_array_equal(before.biases, after.biases)
        assert before.activation == after.activation
