"""Networks whose images are not square, or whose inputs are not images."""

from dataclasses import replace
from pathlib import Path

from exporter.export import graph, publishing
from harness.networks import random_network
from modelfile.image_layout import ImageLayout
from modelfile.input_range import FINITE, InputRange

WIDE = replace(random_network((240, 8, 3)), labels=("left", "middle", "right"))
"""Of images of 12 rows of 20 pixels, of dark ink on light."""

MANY = replace(random_network((100, 5, 2)), input_range=FINITE)

FLOWERS = replace(random_network((4, 6, 3), ("relu", "identity")), input_range=InputRange(0, 10))


def publish(repository: Path) -> None:
    """Write them into a repository, as wide, many and flowers."""
    layout = ImageLayout(12, 20, "dark", 0.7, "mass", (0.5, 0.5))
    publishing.publish(graph.build(WIDE, image_layout=layout), repository, "wide")
    publishing.publish(graph.build(MANY), repository, "many")
    publishing.publish(graph.build(FLOWERS), repository, "flowers")
