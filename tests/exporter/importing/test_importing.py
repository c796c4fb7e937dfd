"""Arrays become a network: found by name or order, transposed, converted, or refused."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import importing
from exporter.importing.source import Array
from exporter.network.network import Network, NetworkError
from exporter.network.weights_file import WeightsError
from harness.networks import random_batch, random_network
from modelfile.input_range import FINITE


def flat(network: Network, *, transposed: bool = False, biases: bool = True) -> list[Array]:
    """The arrays of a network in order."""
    arrays: list[Array] = []
    for layer in network.layers:
        arrays.append(layer.weights.T if transposed else layer.weights)
        if biases:
            arrays.append(layer.biases)
    return arrays


def named(network: Network, weights: str, biases: str, *numbers: int) -> dict[str, Array]:
    """The arrays of a network under names such as W{} and b{}."""
    return {
        name.format(number): array
        for layer, number in zip(network.layers, numbers, strict=True)
        for name, array in ((weights, layer.weights), (biases, layer.biases))
    }


def assert_same(found: Network, wanted: Network) -> None:
    assert found.sizes == wanted.sizes
    for layer, other in zip(found.layers, wanted.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, other.weights)
        np.testing.assert_array_equal(layer.biases, other.biases)
        assert layer.activation == other.activation


def random_relu(*sizes: int) -> Network:
    return random_network(sizes, ("relu",) * (len(sizes) - 2) + ("softmax",))


def imported(arrays: object, **options: object) -> Network:
    settings = {"activation": "relu", "output": "softmax", **options}
    return importing.from_arrays(arrays, **settings)  # type: ignore[arg-type]


def refusal(arrays: object, **options: object) -> str:
    with pytest.raises(WeightsError) as caught:
        imported(arrays, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(2, 4), min_size=2, max_size=5),
    transposed=st.booleans(),
    biases=st.booleans(),
)
def test_shapes_decide_the_orientation_or_the_user_must(
    sizes: list[int], transposed: bool, biases: bool
) -> None:
    network = random_relu(*sizes)
    arrays = flat(network, transposed=transposed, biases=biases)
    orientation = "in-out" if transposed else "out-in"
    chosen = imported(arrays, orientation=orientation)
    found, wanted = flat(chosen, biases=biases), flat(network, biases=biases)
    for array, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(array, other)
    # Read the other way round, biases ask for square weights, and the layers must still chain.
    both = (
        all(n_in == n_out for n_in, n_out in pairwise(sizes))
        if biases
        else all(first == third for first, third in zip(sizes, sizes[2:], strict=False))
    )
    if both:
        assert "fit both ways round; give orientation" in refusal(arrays)
    else:
        assert_same(imported(arrays), chosen)


@pytest.mark.parametrize(
    ("weights", "biases", "numbers"),
    [
        ("W{}", "b{}", (1, 2, 10)),
        ("weights_{}", "biases_{}", (0, 1, 2)),
        ("coefs_{}", "intercepts_{}", (0, 1, 2)),
        ("layer{}.weight", "layer{}.bias", (1, 2, 3)),
        ("{}.weight", "{}.bias", (0, 2, 4)),
        ("model.layers.{}.weight", "model.layers.{}.bias", (8, 9, 10)),
        ("dense_{}/kernel:0", "dense_{}/bias:0", (9, 10, 11)),
        ("params.Dense_{}.kernel", "params.Dense_{}.bias", (0, 1, 2)),
        ("FC{}W", "FC{}B", (1, 2, 3)),
    ],
)
def test_names_are_paired_and_counted(weights: str, biases: str, numbers: tuple[int, ...]) -> None:
    network = random_relu(7, 5, 4, 3)
    arrays = named(network, weights, biases, *numbers)
    assert_same(imported(arrays), network)
    assert_same(imported(dict(sorted(arrays.items(), reverse=True))), network)


def test_arrays_of_savez_are_taken_in_the_order_of_their_numbers() -> None:
    network = random_relu(7, 6, 5, 4, 3, 2, 3)
    arrays = {f"arr_{index}": array for index, array in enumerate(flat(network))}
    assert_same(imported(dict(sorted(arrays.items()))), network)


def test_names_without_numbers_are_ordered_by_their_shapes() -> None:
    network = random_relu(7, 5, 4, 3)
    arrays: dict[str, Array] = {}
    for layer, name in zip(network.layers, ("stem", "body", "head"), strict=True):
        arrays |= {f"{name}.weight": layer.weights, f"{name}.bias": layer.biases}
    notes: list[str] = []
    assert_same(imported(dict(sorted(arrays.items())), tell=notes.append), network)
    assert notes == ["ordered by their names and shapes: stem.weight, body.weight, head.weight"]
    square = {f"{name}.weight": np.eye(4) for name in ("lift", "rest")}
    told = "lift, rest fit in more than one order, such as lift, rest and rest, lift; to import"
    assert told in refusal(square)
    # Numbers settle it for layers of one family, wherever the others go.
    network = random_relu(7, 4, 4, 4, 3)
    arrays = {}
    for layer, name in zip(network.layers, ("fc1", "fc2", "fc10", "a"), strict=True):
        arrays |= {f"{name}.weight": layer.weights, f"{name}.bias": layer.biases}
    assert_same(imported(dict(sorted(arrays.items()))), network)


def test_square_weights_follow_the_others_or_the_habit_of_a_library() -> None:
    network = random_relu(4, 4, 4)
    assert_same(imported(named(network, "{}.weight", "{}.bias", 0, 2)), network)
    transposed = random_relu(4, 4, 4)
    kernels = {
        f"dense_{index}/{word}": array
        for index, layer in enumerate(transposed.layers)
        for word, array in (("kernel", layer.weights.T), ("bias", layer.biases))
    }
    assert_same(imported(kernels), transposed)
    mixed = random_relu(6, 4, 4, 3)
    notes: list[str] = []
    assert_same(imported(flat(mixed, transposed=True), tell=notes.append), mixed)
    assert notes == ["weights are (n_in, n_out): transposed to (n_out, n_in)"]


def test_missing_biases_are_zeros_and_told() -> None:
    network = random_relu(7, 5, 3)
    arrays = flat(network)
    del arrays[1]
    notes: list[str] = []
    found = imported(arrays, tell=notes.append)
    assert notes == ["no biases beside array 0: taken as zeros"]
    np.testing.assert_array_equal(found.layers[0].biases, np.zeros(5))
    np.testing.assert_array_equal(found.layers[1].biases, network.layers[1].biases)


def test_biases_with_two_dimensions_are_flattened() -> None:
    network = random_relu(7, 5, 3)
    arrays = named(network, "W{}", "b{}", 1, 2)
    columns = {key: a.reshape(-1, 1) if key[0] == "b" else a for key, a in arrays.items()}
    assert_same(imported(columns), network)
    columns["b1"] = np.ones((2, 3))
    assert "b1: shape (2, 3) is neither a layer's weights nor its biases" in refusal(
        {**columns, "W1": np.ones((6, 7)), "W2": np.ones((3, 6))}
    )


def test_conversions_are_told_with_the_largest_rounding() -> None:
    arrays: list[Array] = [np.array([[1, -128], [3, 4]], np.int32), np.array([0.0, 0.1])]
    notes: list[str] = []
    found = importing.from_arrays(
        arrays, output="identity", orientation="out-in", tell=notes.append
    )
    rounding = abs(0.1 - float(np.float32(0.1)))
    assert notes == [
        f"converted from float64, int32 to float32: largest rounding {rounding:.2g}, in array 1"
    ]
    np.testing.assert_array_equal(found.layers[0].weights, arrays[0])
    notes.clear()
    importing.from_arrays([arrays[0]], output="identity", orientation="out-in", tell=notes.append)
    assert notes[-1] == "converted from int32 to float32: exactly"


@pytest.mark.parametrize("shape", [(), (7,), (1, 7)])
def test_scaling_of_the_inputs_is_folded_exactly(shape: tuple[int, ...]) -> None:
    network = random_relu(7, 5, 3)
    random = np.random.default_rng(3)
    mean, std = random.random(shape), 0.5 + random.random(shape)
    folded = imported(flat(network), input_scale=-2.5, input_mean=mean, input_std=std)
    batch = random_batch(50, 7)
    scaled = ((-2.5 * batch - mean) / std).astype(np.float32)
    np.testing.assert_allclose(
        folded.forward(batch)[-1], network.forward(scaled)[-1], atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("scaling", "told"),
    [
        ({"input_scale": 255}, ["inputs were 255 * pixel: folded into the first layer"]),
        ({"input_mean": [0.5]}, ["inputs were (pixel - 0.5): folded into the first layer"]),
        (
            {"input_std": [2.0] * 7},
            ["inputs were pixel / std of each: folded into the first layer"],
        ),
        ({"input_scale": 1, "input_mean": [0.0] * 7, "input_std": 1}, []),
    ],
)
def test_scaling_is_told_when_it_changes_something(
    scaling: dict[str, object], told: list[str]
) -> None:
    notes: list[str] = []
    imported(flat(random_relu(7, 5, 3)), tell=notes.append, **scaling)
    assert notes == told


@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_one_output_neuron_becomes_two(output: str) -> None:
    network = random_network((7, 5, 1), ("tanh", output))
    notes: list[str] = []
    found = importing.from_arrays(
        flat(network), activation="tanh", output=output, labels=["no", "yes"], tell=notes.append
    )
    batch = random_batch(50, 7)
    (held,) = network.forward(batch)[-1].T
    no, yes = found.forward(batch)[-1].T
    np.testing.assert_allclose(yes, held, atol=1e-6, rtol=0)
    np.testing.assert_allclose(no, (1 if output == "sigmoid" else 0) - held, atol=1e-6, rtol=0)
    assert found.labels == ("no", "yes")
    assert f"one output neuron z became two, {output}(-z) and {output}(z)" in notes[0]
    assert "can't tell two classes apart" in refusal(flat(network), activation="tanh")


def test_activations_and_labels() -> None:
    network = random_network((7, 5, 4, 3), ("relu", "tanh", "sigmoid"))
    arrays: dict[str, Array] = named(network, "W{}", "b{}", 1, 2, 3)
    found = importing.from_arrays(arrays, activation=["relu", "tanh"], output="sigmoid")
    assert_same(found, network)
    assert found.labels == ("0", "1", "2")
    arrays["activations"] = np.array(["relu", "tanh", "sigmoid"])
    arrays["labels"] = np.array([3, 5, 8])
    found = importing.from_arrays(arrays)
    assert_same(found, network)
    assert found.labels == ("3", "5", "8")
    assert importing.from_arrays(arrays, labels=["a", "b", "c"]).labels == ("a", "b", "c")
    with pytest.raises(NetworkError, match="labels: 2 for 3 output neurons"):
        importing.from_arrays(arrays, labels=["a", "b"])
    assert refusal(arrays, activation=["relu", "tanh"]) == (
        "output: softmax, but the source says sigmoid; leave it out"
    )
    with pytest.raises(WeightsError, match="activation: arrays don't tell what the hidden"):
        importing.from_arrays(flat(network), output="softmax")
    with pytest.raises(WeightsError, match="output: arrays don't tell what the output layer"):
        importing.from_arrays(flat(network), activation="relu")
    assert "activation: 3 names for 2 hidden layers" in refusal(
        flat(network), activation=("relu",) * 3
    )
    assert "activation: 'gelu', wanted one of sigmoid" in refusal(flat(network), activation="gelu")
    assert "output: 'max', wanted one of" in refusal(flat(network), output="max")


def test_shapes_that_do_not_chain_name_both() -> None:
    def weights(*shapes: tuple[int, int]) -> dict[str, Array]:
        return {f"W{index}": np.ones(shape) for index, shape in enumerate(shapes, start=1)}

    remedy = (
        "; to import some layers alone, name them from input to output with layers, on the command "
        "line such as --layers W1,W2"
    )
    assert refusal(weights((5, 7), (3, 4))) == (
        "layers: read as out-in, W2 (3, 4) takes 4 inputs, but W1 (5, 7) has 5 neurons; each "
        f"layer must take as many inputs as the one before has neurons{remedy}"
    )
    # The orientation that comes farthest is the one to talk about.
    assert refusal(weights((7, 5), (5, 4), (3, 2))) == (
        "layers: read as in-out, W3 (3, 2) takes 3 inputs, but W2 (5, 4) has 4 neurons; each "
        f"layer must take as many inputs as the one before has neurons{remedy}"
    )
    wrong_order = refusal({**weights((3, 5), (5, 7)), "b1": np.ones(3), "b2": np.ones(5)})
    assert "; they fit in the order W2, W1, which their names contradict; to" in wrong_order
    assert wrong_order.endswith(" --layers W2,W1")
    assert refusal(weights((5, 7), (3, 5)), orientation="in-out") == (
        "layers: read as in-out, W2 (3, 5) takes 3 inputs, but W1 (5, 7) has 7 neurons; "
        "they fit as out-in"
    )
    assert refusal(weights((5, 7)), orientation="rows") == (
        "orientation: 'rows', wanted one of out-in, in-out"
    )
    assert "W1 (5, 7) has 5 neurons, but b1 (4,) has 4 biases" in refusal(
        {**weights((5, 7)), "b1": np.ones(4)}
    )


@pytest.mark.parametrize(
    ("extra", "explained"),
    [
        ({"bn.running_mean": np.ones(5)}, "bn.running_mean: shape (5,) belongs to a normalisation"),
        ({"bn.num_batches_tracked": np.ones(())}, "bn.num_batches_tracked: shape () belongs to a"),
        ({"bn.weight": np.ones(5)}, "bn.weight: shape (5,) belongs to a normalisation"),
        ({"conv1.weight": np.ones((8, 1, 3, 3))}, "conv1.weight: shape (8, 1, 3, 3) looks like"),
        ({"scale": np.ones(())}, "scale: shape () is neither a layer's weights nor its biases"),
        ({"old.bias": np.ones(3)}, "old.bias: biases without weights; name them so"),
        ({"W.1": np.ones((5, 7))}, "W.1: belongs to the same layer as W1"),
    ],
)
def test_arrays_that_belong_to_something_else_are_named(
    extra: dict[str, Array], explained: str
) -> None:
    arrays = named(random_relu(7, 5, 3), "W{}", "b{}", 1, 2)
    assert imported(arrays).sizes == (7, 5, 3)
    assert explained in refusal({**arrays, **extra})


def test_sequences_that_are_no_layers() -> None:
    weights, biases = np.ones((3, 7)), np.ones(3)
    assert "no weights found" in refusal([])
    assert "no weights found" in refusal({})
    assert "array 0: shape (3,), wanted weights" in refusal([biases, weights])
    assert "array 2: shape (3,), wanted weights" in refusal([weights, biases, biases])
    assert "array 0: shape (3, 7, 1) is neither" in refusal([weights[:, :, None], biases])


@pytest.mark.parametrize(
    ("value", "told"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e39, "1e+39"), (-1e300, "-1e+300")]
)
def test_numbers_that_float32_lacks_are_refused_with_their_place(value: float, told: str) -> None:
    arrays = {"W1": np.ones((3, 7)), "b1": np.ones(3)}
    arrays["W1"][2, 4] = value
    assert f"W1: {told} at [2, 4], wanted finite numbers up to 3.4e+38" in refusal(arrays)
    # The place is that in the user's array, even when it will be transposed.
    assert f"W1: {told} at [4, 2]" in refusal({**arrays, "W1": arrays["W1"].T})
    arrays = {"W1": np.ones((3, 7)), "b1": np.array([1, value, 1])}
    assert f"b1: {told} at [1]" in refusal(arrays)


def test_other_things_than_numbers_are_refused() -> None:
    biases = np.ones(3)
    assert "array 0: complex128, wanted numbers" in refusal([np.ones((3, 7), complex), biases])
    assert "array 0: <U1, wanted numbers" in refusal([np.full((3, 7), "x"), biases])
    assert "array 0: shape (3, 0) is empty" in refusal([np.ones((3, 0)), biases])


def test_the_range_of_inputs() -> None:
    network = random_relu(5, 4, 3)
    for text, shown in ((None, "[0, 1]"), ("-1,1", "[-1, 1]"), (FINITE, "finite")):
        assert str(imported(flat(network), input_range=text).input_range) == shown
    assert "input_range: '1,-1' is not an input range" in refusal(flat(network), input_range="1,-1")
    # Each of its numbers is looked at before somebody serves it.
    message = refusal(flat(network), input_range="-3e38,3e38")
    assert "overflow float32, with weights up to" in message
    assert "and inputs in [-3e+38, 3e+38]; scale" in message


def test_activations_that_overflow_are_refused() -> None:
    arrays = [np.full((3, 7), 1e30), np.zeros(3), np.full((2, 3), 1e30), np.zeros(2)]
    assert "layer 2: its activations overflow float32, with weights up to 1e+30" in refusal(
        arrays, output="identity"
    )


def test_scalings_that_are_refused() -> None:
    arrays = [np.full((3, 7), 1e10), np.zeros(3)]
    assert "input_std: 0, wanted positive numbers" in refusal(arrays, input_std=np.eye(7)[0])
    assert "input_scale: 0.0, wanted a finite number other than 0" in refusal(
        arrays, input_scale=0.0
    )
    assert "input_mean: 6 numbers, wanted one, or one for each of 7 pixels" in refusal(
        arrays, input_mean=np.ones(6)
    )
    assert "input_std: 6 numbers" in refusal(arrays, input_mean=np.ones(7), input_std=np.ones(6))
    assert "input_mean: not all are finite numbers" in refusal(arrays, input_mean=np.nan)
    assert "input_mean: not numbers" in refusal(arrays, input_mean="dark")
    assert "array 0: inf after scaling" in refusal(arrays, input_scale=1e300, input_std=1e-300)
    assert "array 0: 1e+40 after scaling, wanted up to 3.4e+38" in refusal(arrays, input_scale=1e30)
