"""Holes and pieces are counted as one would by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from canonical import NotSquare
from exporter.network.network import Batch
from exporter.study.insight import measure, topology
from exporter.study.insight.topology import Ink
from exporter.training import mnist

SHAPES = {
    "nothing": ("......", 0, 0),
    "dot": ("......,.#....", 1, 0),
    "two dots": ("#.....,......,..#...", 2, 0),
    "joined at a corner": ("#.....,.#....", 1, 0),
    "ring": (".###..,.#.#..,.###..", 0, 1),
    "ring of corners": ("..#...,.#.#..,..#...", 0, 1),
    "open ring": (".###..,.#.#..,.#.#..", 1, 0),
    "eight": (".###..,.#.#..,.###..,.#.#..,.###..", -1, 2),
    "ring at the border": ("######,#....#,#....#,#....#,#....#,######", 0, 1),
    "spiral": ("######,#.....,#.####,#.#..#,#....#,######", 1, 0),
    "ring and dot": ("###..#,#.#...,###...", 1, 1),
}


def draw(shape: str) -> Ink:
    rows = shape.split(",")
    rows += ["......"] * (6 - len(rows))
    return np.array([[[pixel == "#" for pixel in row] for row in rows]])


@pytest.mark.parametrize("name", SHAPES)
def test_drawn_shapes(name: str) -> None:
    shape, euler, holes = SHAPES[name]
    ink = draw(shape)
    assert topology.euler_number(ink).tolist() == [euler]
    images = np.where(ink, 0.7, 0.3).astype(np.float32).reshape(1, 36)
    assert topology.count_holes(images).tolist() == [holes]
    assert topology.count_holes(images, threshold=0.8).tolist() == [0]


def pieces(cells: set[tuple[int, int]], corners: bool) -> int:
    """Count connected cells one by one."""
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)] if corners else []
    left, count = set(cells), 0
    while left:
        count += 1
        edge = [left.pop()]
        while edge:
            row, column = edge.pop()
            found = {(row + down, column + right) for down, right in steps} & left
            left -= found
            edge += found
    return count


@given(arrays.arrays(np.bool_, (3, 7, 7), elements=st.booleans()))
def test_euler_number_is_pieces_minus_holes(ink: Ink) -> None:
    wanted = []
    for image in ink:
        dark = np.pad(~image, 1, constant_values=True)
        background = {(int(row), int(column)) for row, column in np.argwhere(dark)}
        drawn = {(int(row), int(column)) for row, column in np.argwhere(image)}
        wanted.append(pieces(drawn, corners=True) - (pieces(background, corners=False) - 1))
    assert topology.euler_number(ink).tolist() == wanted


def test_digits_have_the_holes_that_they_are_known_for(digits: tuple[Batch, mnist.Labels]) -> None:
    images, labels = digits[0][:2000], digits[1][:2000]
    holes = topology.count_holes(images)
    for label, wanted in enumerate((1, 0, None, 0, None, 0, 1, 0, 2, 1)):
        if wanted is not None:
            most = np.bincount(holes[labels == label]).argmax()
            assert most == wanted, f"{label} has {most} holes most often"


def test_images_must_be_square() -> None:
    with pytest.raises(NotSquare, match="12"):
        topology.count_holes(np.zeros((2, 12), np.float32))


def test_a_hole_with_two_islands_counts_as_none() -> None:
    ring = np.zeros((9, 9), np.float32)
    ring[[0, -1]] = ring[:, [0, -1]] = ring[4, [2, 6]] = 1
    holes = topology.count_holes(ring.reshape(1, -1))
    assert holes.tolist() == [-1]
    (counted,) = measure._holes(("ring",), holes, np.zeros(1, np.int64))
    assert counted.counts == (1, 0, 0, 0)
