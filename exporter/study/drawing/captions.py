"""What stands above each column of a drawing."""

from exporter.network.network import Network
from modelfile.input_range import FINITE, PIXELS

Caption = tuple[str, str]
"""A head, and a note below it."""


def of_inputs(network: Network, shape: tuple[int, int], scale: float) -> Caption:
    """Return the caption of inputs that are drawn in rows and columns."""
    rows, columns = shape
    is_image = network.input_range != FINITE and rows * columns == network.n_inputs
    head = f"{rows} x {columns} pixels"
    if not is_image or min(shape) == 1:
        head = _count(network.n_inputs, "input")
    return head, "from 0, black, to 1, white" if network.input_range == PIXELS else _white(scale)


def of_layer(network: Network, layer: int, n_shown: int, scale: float) -> Caption:
    """Return the caption of a layer of which so many neurons are drawn."""
    n_neurons = network.sizes[layer + 1]
    is_output = layer == len(network.layers) - 1
    noun = f"{network.layers[layer].activation} {'output' if is_output else 'neuron'}"
    head = _count(n_neurons, noun)
    notes = ["the brightest is the answer" if is_output else f"hidden layer {layer + 1}"]
    if n_shown < n_neurons:
        head = f"{n_shown} of {head}"
        notes[0] += "" if is_output else ": the most active"
    if scale != 1:
        notes.append(_white(scale))
    return head, " · ".join(notes)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _white(scale: float) -> str:
    return f"white is {scale:.3g}"
