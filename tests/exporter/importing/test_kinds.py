"""State dicts of many kinds: perceptrons answer as they compute, all others are refused by name."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from exporter import importing
from exporter.importing.source import Array
from exporter.network.network import Batch
from exporter.network.weights_file import WeightsError
from harness.networks import random_batch

Arrays = dict[str, Array]

RANDOM = np.random.default_rng(11)


def linear(name: str, n_in: int, n_out: int, *, biases: bool = True) -> Arrays:
    """torch.nn.Linear's arrays."""
    arrays = {f"{name}.weight": values(n_out, n_in)}
    return arrays | ({f"{name}.bias": values(n_out)} if biases else {})


def values(*shape: int) -> Array:
    return RANDOM.normal(0, 0.5, shape).astype(np.float32)


def chain(names: str, *sizes: int) -> Arrays:
    """A Linear of each name, one after the other."""
    parts = names.split()
    assert len(parts) == len(sizes) - 1
    arrays: Arrays = {}
    for name, n_in, n_out in zip(parts, sizes, sizes[1:], strict=False):
        arrays |= linear(name, n_in, n_out)
    return arrays


def answer(layers: Sequence[tuple[Array, Array]], batch: Batch) -> Array:
    """What PyTorch computes of these weights and biases, with ReLU between them."""
    held = batch.astype(np.float64)
    for index, (weights, biases) in enumerate(layers):
        held = held @ weights.astype(np.float64).T + biases
        if index < len(layers) - 1:
            held = np.maximum(held, 0)
    return held


def assert_answers(
    arrays: Arrays, expected: Sequence[tuple[Array, Array]], **options: object
) -> None:
    """The network answers as expected, however the file sorts its arrays."""
    batch = random_batch(20, expected[0][0].shape[1])
    wanted = answer(expected, batch)
    for given in (arrays, dict(sorted(arrays.items()))):
        network = importing.from_arrays(
            given,
            activation="relu",
            output="identity",
            **options,  # type: ignore[arg-type]
        )
        np.testing.assert_allclose(network.forward(batch)[-1], wanted, rtol=1e-4, atol=1e-4)


def refusal(arrays: Arrays, **options: object) -> str:
    """Return why arrays are refused, which does not depend on how the file sorts them."""
    for given in (arrays, dict(sorted(arrays.items()))):
        with pytest.raises(WeightsError) as caught:
            importing.from_arrays(
                given,
                activation="relu",
                output="identity",
                **options,  # type: ignore[arg-type]
            )
    assert "\n" not in str(caught.value)
    return str(caught.value)


PERCEPTRONS = {
    "Sequential": "0 2 4",
    "Sequential with dropout": "net.0 net.3 net.6",
    "numbered": "fc1 fc2 fc3",
    "numbered from ten": "layers.9 layers.10 layers.11",
    "nested Sequentials": "0.0 1.0 2",
    "DataParallel": "module.fc1 module.fc2 module.fc3",
    "torch.compile": "_orig_mod.net.0 _orig_mod.net.2 _orig_mod.net.4",
    "Lightning": "model.0 model.2 model.4",
    "tutorial": "linear_relu_stack.0 linear_relu_stack.2 linear_relu_stack.4",
    "blocks": "blocks.0.linear blocks.1.linear head",
    "two in a block": "block1.fc block1.proj block2.fc",
    "named parts": "stem body head",
    "input, hidden, output": "input_layer hidden_layer output_layer",
    "ModuleList between": "fc_in hidden.0 fc_out",
    "hidden and output": "hidden.0 hidden.1 out",
    "features and classifier": "features.0 features.2 classifier",
    "encoder and head": "encoder.0 encoder.2 head",
    "encoder and fc": "encoder.0 encoder.2 fc",
    "head of two": "backbone.0 head.0 head.2",
    "ordinals": "first second third",
    "counted in words": "fc_one fc_two fc_three",
    "digits and a word": "0 2 final",
    "one called actor": "actor.0 actor.2 actor.4",
    "one called decoder": "decoder.net.0 decoder.net.2 decoder.net.4",
    "names without a place": "alpha beta gamma",
    "SWA": "module.0 module.2 module.4",
    "Keras": "dense dense_1 dense_2",
    "letters": "l1 l2 l3",
}
"""Names of three layers that follow each other."""


@pytest.mark.parametrize("kind", PERCEPTRONS)
@pytest.mark.parametrize("sizes", [(9, 7, 5, 4), (9, 6, 6, 3)])
def test_perceptrons_answer_as_numpy_computes(kind: str, sizes: tuple[int, ...]) -> None:
    names = PERCEPTRONS[kind]
    arrays = chain(names, *sizes)
    assert_answers(
        arrays, [(arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in names.split()]
    )


def test_counters_are_left_out_and_told() -> None:
    arrays = {"n_averaged": np.array(3), **chain("module.0 module.2", 9, 7, 4)}
    expected = [(arrays[f"module.{n}.weight"], arrays[f"module.{n}.bias"]) for n in (0, 2)]
    assert_answers(arrays, expected)
    notes: list[str] = []
    importing.from_arrays(arrays, activation="relu", output="identity", tell=notes.append)
    assert notes == ["n_averaged is a counter: left out"]


def test_a_layer_alone_has_no_prefix() -> None:
    arrays = {"weight": values(3, 9), "bias": values(3)}
    assert_answers(arrays, [(arrays["weight"], arrays["bias"])])


def of_numpy(weights: str, biases: str, *numbers: object) -> Arrays:
    sizes = (9, 7, 5, 4)
    arrays: Arrays = {}
    for number, n_in, n_out in zip(numbers, sizes, sizes[1:], strict=False):
        arrays |= {
            weights.format(number): values(n_out, n_in),
            biases.format(number): values(n_out),
        }
    return arrays


@pytest.mark.parametrize(
    ("weights", "biases", "numbers"),
    [
        ("W{}", "b{}", (1, 2, 3)),
        ("weights.{}", "biases.{}", (0, 1, 2)),
        ("coefs_{}", "intercepts_{}", (0, 1, 2)),
        ("W_{}", "b_{}", ("in", "hidden", "out")),
        ("{}_weights", "{}_biases", ("input", "hidden", "output")),
        ("params/Dense_{}/kernel:0", "params/Dense_{}/bias:0", (0, 1, 2)),
        ("mlp/~/linear_{}.w", "mlp/~/linear_{}.b", (0, 1, 2)),
    ],
)
def test_names_of_numpy_users_and_other_libraries(
    weights: str, biases: str, numbers: tuple[object, ...]
) -> None:
    arrays = of_numpy(weights, biases, *numbers)
    expected = [
        (arrays[weights.format(number)], arrays[biases.format(number)]) for number in numbers
    ]
    assert_answers(arrays, expected)


def weight_norm(name: str, n_in: int, n_out: int, form: str) -> tuple[Arrays, Array]:
    v, g = values(n_out, n_in), values(n_out, 1)
    if form == "columns":
        g = values(1, n_in)
        norm = np.sqrt((v.astype(np.float64) ** 2).sum(0, keepdims=True))
    elif form == "whole":
        g = values()
        norm = np.sqrt((v.astype(np.float64) ** 2).sum())
    else:
        norm = np.sqrt((v.astype(np.float64) ** 2).sum(1, keepdims=True))
    words = ("weight_g", "weight_v")
    if form == "parametrizations":
        words = ("parametrizations.weight.original0", "parametrizations.weight.original1")
    return {f"{name}.{words[0]}": g, f"{name}.{words[1]}": v}, v * g / norm


def spectral_norm(name: str, n_in: int, n_out: int, form: str) -> tuple[Arrays, Array]:
    original, u, v = values(n_out, n_in), values(n_out), values(n_in)
    words = ["weight_orig", "weight_u", "weight_v"]
    if form == "parametrizations":
        words = [f"parametrizations.weight.{part}" for part in ("original", "0._u", "0._v")]
    arrays = dict(zip((f"{name}.{word}" for word in words), (original, u, v), strict=True))
    return arrays, original / np.einsum("i,ij,j", u, original, v, dtype=np.float64)


def pruned(name: str, n_in: int, n_out: int, _form: str) -> tuple[Arrays, Array]:
    original, mask = values(n_out, n_in), RANDOM.integers(0, 2, (n_out, n_in)).astype(np.float32)
    return {f"{name}.weight_orig": original, f"{name}.weight_mask": mask}, original * mask


@pytest.mark.parametrize(
    ("make", "form", "note"),
    [
        (weight_norm, "rows", "weight_norm"),
        (weight_norm, "columns", "weight_norm"),
        (weight_norm, "whole", "weight_norm"),
        (weight_norm, "parametrizations", "weight_norm"),
        (spectral_norm, "old", "spectral_norm"),
        (spectral_norm, "parametrizations", "spectral_norm"),
        (pruned, "", "pruning"),
    ],
)
def test_weights_in_parts_are_computed_as_pytorch_does(
    make: Callable[[str, int, int, str], tuple[Arrays, Array]], form: str, note: str
) -> None:
    first, weights = make("fc1", 9, 7, form)
    third, last = make("fc3", 6, 4, form)
    arrays = {**first, "fc1.bias": values(7), **linear("fc2", 7, 6), **third}
    plain = (arrays["fc2.weight"], arrays["fc2.bias"])
    expected = [(weights, arrays["fc1.bias"]), plain, (last, np.zeros(4))]
    assert_answers(arrays, expected)
    notes: list[str] = []
    importing.from_arrays(arrays, activation="relu", output="identity", tell=notes.append)
    assert notes[0].startswith(f"fc1.weight, fc3.weight computed by {note}")
    # A layer's own state dict has no prefix.
    alone, only = make("x", 9, 7, form)
    bare = {name.removeprefix("x."): array for name, array in alone.items()}
    assert_answers(bare, [(only, np.zeros(7))])
    # A part that is missing, or of another kind, is named.
    for name in first:
        left = {key: array for key, array in arrays.items() if key != name}
        assert "remove_parametrizations" in refusal(left)
    assert "fc1.weight_mystery" in refusal({**arrays, "fc1.weight_mystery": values(7, 9)})


def test_pruned_biases_and_parts_that_do_not_fit() -> None:
    mask = np.array([1, 0, 1, 1], np.float32)
    arrays = {**linear("fc1", 9, 7), **linear("fc2", 7, 4)}
    biases = arrays.pop("fc2.bias")
    arrays |= {"fc2.bias_orig": biases, "fc2.bias_mask": mask}
    expected = [(arrays["fc1.weight"], arrays["fc1.bias"]), (arrays["fc2.weight"], biases * mask)]
    assert_answers(arrays, expected)
    arrays["fc2.bias_mask"] = mask / 2
    assert "fc2.bias: can't be computed by pruning" in refusal(arrays)
    assert "magnitudes of shape (3, 1)" in refusal(
        {"weight_g": values(3, 1), "weight_v": values(4, 9)}
    )


def lora(name: str, n_in: int, n_out: int) -> Arrays:
    return {
        f"{name}.lora_A.weight": values(4, n_in),
        f"{name}.lora_B.weight": values(n_out, 4),
    }


def recurrent(name: str, gates: int) -> Arrays:
    dot = f"{name}." if name else ""
    return {
        f"{dot}weight_ih_l0": values(gates * 8, 6),
        f"{dot}weight_hh_l0": values(gates * 8, 8),
        f"{dot}bias_ih_l0": values(gates * 8),
        f"{dot}bias_hh_l0": values(gates * 8),
    }


def normalisation(name: str, size: int) -> Arrays:
    return {f"{name}.weight": values(size), f"{name}.bias": values(size)}


def statistics(name: str, size: int) -> Arrays:
    return normalisation(name, size) | {
        f"{name}.running_mean": values(size),
        f"{name}.running_var": values(size) ** 2,
        f"{name}.num_batches_tracked": np.array(3),
    }


def integers(arrays: Arrays) -> Arrays:
    return {name: (40 * array).astype(np.int8) for name, array in arrays.items()}


PLAIN = chain("fc1 fc2", 9, 7, 4)

OTHERS: dict[str, tuple[Arrays, str]] = {
    "RNN and Linear": (recurrent("rnn", 1) | linear("fc", 8, 3), "rnn.weight_ih_l0"),
    "LSTM and Linear": (recurrent("lstm", 4) | linear("fc", 8, 3), "lstm.weight_ih_l0"),
    "GRU alone": (recurrent("", 3), "recurrent"),
    "RNNCell whose shapes chain": (
        {"cell.weight_ih": values(8, 6), "cell.weight_hh": values(8, 8)} | linear("out", 8, 3),
        "cell.weight_ih",
    ),
    "recurrence by hand": (linear("i2h", 14, 8) | linear("h2o", 8, 3), "recurrent"),
    "Keras's LSTM": (
        {
            "lstm/kernel": values(6, 32),
            "lstm/recurrent_kernel": values(8, 32),
            "lstm/bias": values(32),
            "dense/kernel": values(8, 3),
        },
        "lstm/",
    ),
    "LoRA adapter alone": (lora("base.fc1", 9, 7), "lora_A"),
    "LoRA adapters in a chain": (lora("fc1", 9, 7) | lora("fc2", 7, 3), "merged"),
    "LoRA beside its base": (
        linear("fc1.base_layer", 9, 7) | lora("fc1", 9, 7) | linear("fc2", 7, 4),
        "lora_A",
    ),
    "bottleneck adapter": (chain("adapter.down adapter.up", 9, 3, 9), "adapter"),
    "autoencoder": (
        chain("encoder.0 encoder.2 decoder.0 decoder.2", 9, 7, 5, 7, 9),
        "decoder.0",
    ),
    "autoencoder and head": (
        chain("encoder.0 encoder.2 decoder.0 decoder.2", 9, 7, 5, 7, 9) | linear("head", 5, 3),
        "decoder.0",
    ),
    "autoencoder, head on what it gives": (
        chain("encoder decoder head", 9, 5, 9, 3),
        "decoder",
    ),
    "tied autoencoder": ({**linear("encoder", 9, 5), "decoder.bias": values(9)}, "decoder.bias"),
    "actor and critic in a chain": (
        chain("actor.0 actor.2 critic.0 critic.2", 9, 7, 4, 7, 1),
        "actor.0, actor.2; critic.0, critic.2",
    ),
    "actor and critic of one layer": (chain("actor critic", 9, 4, 1), "actor; critic"),
    "policy and value": (chain("pi.0 pi.2 vf.0 vf.2", 9, 7, 4, 7, 2), "pi.0, pi.2; vf.0, vf.2"),
    "two critics": (chain("q1.0 q1.2 q2.0 q2.2", 9, 7, 9, 7, 9), "q1.0, q1.2; q2.0, q2.2"),
    "generator and discriminator": (
        chain("generator.0 generator.2 discriminator.0 discriminator.2", 3, 7, 9, 7, 2),
        "generator.0",
    ),
    "G and D": (chain("netG.0 netG.2 netD.0 netD.2", 3, 7, 9, 7, 2), "netD.0, netD.2"),
    "student and teacher": (
        chain("student.0 student.2 teacher.0 teacher.2", 9, 7, 9, 8, 9),
        "student.0",
    ),
    "online and target": (
        chain("online.0 online.2 target.0 target.2", 9, 7, 9, 7, 9),
        "target.0",
    ),
    "average beside the weights": (
        chain("model.0 model.2 ema.0 ema.2", 9, 7, 9, 7, 9),
        "ema.0, ema.2",
    ),
    "average as a suffix": (
        {**PLAIN, **{f"{name}_ema": array for name, array in PLAIN.items()}},
        "fc1.weight_ema",
    ),
    "averaged twice": (
        chain("net.0 net.2", 9, 7, 9) | chain("shadow.0 shadow.2", 9, 7, 9),
        "shadow.0",
    ),
    "siamese towers": (chain("left.0 left.2 right.0 right.2", 9, 7, 9, 7, 9), "right.0"),
    "numbered towers": (chain("tower1 tower2 head", 9, 9, 9, 3), "tower1, tower2"),
    "towers with letters": (
        chain("net_a.0 net_a.2 net_b.0 net_b.2", 9, 7, 9, 7, 9),
        "net_a.0, net_a.2; net_b.0, net_b.2",
    ),
    "unknown stacks": (chain("foo.0 foo.2 bar.0 bar.2", 9, 7, 6, 5, 4), "foo.0, foo.2"),
    "two networks, numbered": (
        chain("net1.0 net1.2 net2.0 net2.2", 9, 7, 6, 5, 4),
        "net1.0, net1.2; net2.0, net2.2",
    ),
    "experts": (chain("experts.0 experts.1 out", 9, 9, 9, 3), "experts.0"),
    "experts and router": (
        chain("router mlp.0 mlp.2", 9, 9, 7, 4),
        "router.weight: its name is that of a mixture of experts or a gate",
    ),
    "gated layer": (
        {"w1.weight": values(7, 9), "w2.weight": values(9, 7), "w3.weight": values(7, 9)},
        "gate",
    ),
    "gate, up and down": (chain("up_proj gate_proj down_proj", 9, 9, 9, 4), "gate_proj.weight"),
    "heads in a list": (chain("trunk heads.0 heads.1", 9, 7, 7, 3), "heads.0; heads.1"),
    "numbered heads": (chain("trunk head1 head2", 9, 7, 7, 3), "head1; head2"),
    "two outputs": (chain("fc classifier output", 9, 7, 7, 3), "classifier; output"),
    "outputs that don't chain": (
        linear("fc", 9, 7) | linear("age_head", 7, 3) | linear("name_head", 7, 4),
        "age_head; name_head",
    ),
    "ensemble": (
        chain("models.0.0 models.0.2 models.1.0 models.1.2", 9, 7, 9, 7, 9),
        "models.0.0",
    ),
    "int8 without scales": (integers(PLAIN), "fc1.weight: int8, as quantised weights are"),
    "int8 with scales": (
        {**integers(PLAIN), "fc1.weight_scale": values(7, 1), "fc2.weight_scale": values(4, 1)},
        "fc1.weight_scale",
    ),
    "int8 with zero points": (
        {**integers(PLAIN), "fc1.scale": values(), "fc1.zero_point": np.array(3)},
        "fc1.scale",
    ),
    "uint8 arrays": (
        {name: (9 + 9 * array).astype(np.uint8) for name, array in PLAIN.items()},
        "uint8",
    ),
    "packed weights": (
        {"fc1.qweight": np.ones((2, 7), np.int32), "fc1.qzeros": np.ones((1, 1), np.int32)},
        "fc1.qweight",
    ),
    "convolution": ({"conv1.weight": values(8, 1, 3, 3), **PLAIN}, "convolution"),
    "convolution without a name": ({"0.weight": values(8, 1, 3, 3), **PLAIN}, "convolution"),
    "graph convolution": (chain("conv1.lin conv2.lin", 9, 7, 3), "convolution"),
    "attention": (
        {
            "in_proj_weight": values(24, 8),
            "in_proj_bias": values(24),
            **linear("out_proj", 8, 8),
        },
        "in_proj_weight",
    ),
    "attention in projections": (
        chain("q_proj k_proj v_proj out_proj", 8, 8, 8, 8, 3),
        "attention",
    ),
    "attention by hand": (chain("query key value", 8, 8, 8, 3), "attention"),
    "attention of NumPy": (
        {"W_q": values(8, 6), "W_k": values(7, 8), "W_v": values(3, 7)},
        "attention",
    ),
    "embedding": ({"embedding.weight": values(9, 100), **chain("fc1", 9, 4)}, "embedding"),
    "LayerNorm": (PLAIN | normalisation("norm", 7), "norm.weight: shape (7,) belongs to a norm"),
    "BatchNorm": (PLAIN | statistics("1", 7), "normalisation"),
    "BatchNorm without weights": (
        {**PLAIN, "bn.running_mean": values(7), "bn.num_batches_tracked": np.array(1)},
        "bn.running_mean",
    ),
    "PReLU": ({**PLAIN, "act.weight": values(1)}, "PReLU"),
    "skip connection": (chain("fc1 shortcut fc2", 9, 7, 7, 4), "skip connection"),
    "residual block": (chain("fc1 res.fc fc2", 9, 7, 7, 4), "skip connection"),
    "optimizer's state": (
        {f"model.{name}": array for name, array in PLAIN.items()}
        | {"optimizer.state.0.exp_avg": values(7, 9), "optimizer.state.0.step": np.array(9)},
        "optimizer.state.0.exp_avg",
    ),
    "counters of a checkpoint": ({**PLAIN, "epoch": np.array(3)}, "epoch"),
    "gradients": ({**PLAIN, "fc1.weight_grad": values(7, 9)}, "fc1.weight_grad"),
    "moments beside the weights": (
        {"W1": values(7, 9), "W2": values(9, 7), "mW1": values(7, 9), "mW2": values(9, 7)},
        "mW1, mW2",
    ),
    "biases alone": ({**PLAIN, "fc9.bias": values(4)}, "fc9.bias: biases without weights"),
    "Bayesian layers": (
        {"fc1.weight_mu": values(7, 9), "fc1.weight_rho": values(7, 9), **linear("fc2", 7, 4)},
        "fc1.weight_mu",
    ),
    "orthogonal": (
        {"fc.parametrizations.weight.original": values(7, 9), "fc.bias": values(7)},
        "fc.parametrizations.weight.original",
    ),
    "pruned and normalised": (
        {
            "fc.weight_orig": values(7, 9),
            "fc.weight_mask": np.ones((7, 9)),
            "fc.weight_u": values(7),
        },
        "remove_parametrizations",
    ),
    "mask beside plain weights": ({**PLAIN, "fc1.weight_mask": np.ones((7, 9))}, "fc1.weight_mask"),
    "equal shapes without an order": (chain("alpha beta gamma", 8, 8, 8, 8), "more than one order"),
    "numbers that contradict the shapes": (chain("fc2 fc1 fc3", 9, 7, 5, 4), "fc2, fc1, fc3"),
    "numbers that fit backwards, without biases": (
        linear("fc2", 9, 7, biases=False) | linear("fc1", 7, 4, biases=False),
        "fit only as in-out, but by their names they are out-in",
    ),
    "recurrence in words": (
        chain("input_to_hidden hidden_to_hidden hidden_to_output", 9, 8, 8, 3),
        "recurrent",
    ),
    "recurrence of NumPy": (
        {"W_xh": values(8, 9), "W_hh": values(8, 8), "W_hy": values(3, 8)},
        "recurrent",
    ),
    "cosine head": (chain("fc1 arcface", 9, 7, 3), "normalised weights"),
    "slots of TensorFlow's optimizer": (
        {"dense/kernel": values(9, 7), "dense/kernel/Adam": values(9, 7)},
        "dense/kernel/Adam",
    ),
    "dueling streams": (
        chain("feature.0 advantage.0 value.0", 9, 7, 7, 3),
        "advantage.0; feature.0",
    ),
    "variational autoencoder": (
        linear("fc1", 9, 7)
        | linear("fc21", 7, 3)
        | linear("fc22", 7, 3)
        | linear("fc3", 3, 7)
        | linear("fc4", 7, 9),
        "fc3.weight (7, 3) takes 3 inputs, but fc1.weight (7, 9) has 7 neurons",
    ),
    "words that contradict the shapes": (chain("head stem", 9, 7, 4), "head, stem"),
}
"""What is not a perceptron, or none whose order is known, and a part of what is said of it."""


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_perceptron_is_refused_by_name(kind: str) -> None:
    arrays, told = OTHERS[kind]
    message = refusal(arrays)
    assert told in message
    if not any(array.dtype.itemsize == 1 for array in arrays.values()):
        assert "--layers" in message or "no layers of a perceptron are left" in message


def test_there_are_enough_kinds() -> None:
    assert len(OTHERS) + len(PERCEPTRONS) > 80


def test_an_order_that_contradicts_the_listing_is_refused() -> None:
    listed = chain("gamma alpha beta", 9, 7, 5, 4)
    assert importing.from_arrays(listed, activation="relu", output="identity").sizes == (9, 7, 5, 4)
    other = {**linear("gamma", 7, 5), **linear("alpha", 9, 7), **linear("beta", 5, 4)}
    with pytest.raises(WeightsError, match="they fit in the order alpha, gamma, beta, which"):
        importing.from_arrays(other, activation="relu", output="identity")


def test_layers_that_are_named_are_taken_in_that_order() -> None:
    arrays, _ = OTHERS["autoencoder and head"]
    names = ["encoder.0", "encoder.2", "head"]
    expected = [(arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in names]
    assert_answers(arrays, expected, layers=names)
    assert_answers(arrays, expected, layers=[f"{name}.weight" for name in names])
    notes: list[str] = []
    importing.from_arrays(
        arrays, activation="relu", output="identity", layers=names, tell=notes.append
    )
    assert notes == ["left out: decoder.0, decoder.2"]
    # Also what nothing else would allow.
    square, _ = OTHERS["equal shapes without an order"]
    names = ["gamma", "alpha", "beta"]
    expected = [(square[f"{name}.weight"], square[f"{name}.bias"]) for name in names]
    assert_answers(square, expected, layers=names)
    parts, weights = weight_norm("fc", 9, 4, "rows")
    assert_answers({**parts, **recurrent("rnn", 1)}, [(weights, np.zeros(4))], layers=["fc"])
    # Names are not proof.
    misnamed = chain("embedding_net.0 embedding_net.2", 9, 7, 4)
    assert refusal(misnamed).endswith(" --layers embedding_net.0,embedding_net.2")
    names = ["embedding_net.0", "embedding_net.2"]
    expected = [(misnamed[f"{name}.weight"], misnamed[f"{name}.bias"]) for name in names]
    assert_answers(misnamed, expected, layers=names)
    for names, told in (
        (["head", "encoder.0"], "head.weight (3, 5) has 3 neurons"),
        (
            ["encoder.0", "encoder.1"],
            "'encoder.1' is not a layer; layers: encoder.0, encoder.2,",
        ),
        (["head", "head"], "'head' is named twice"),
        ([], "the list is empty"),
    ):
        with pytest.raises(WeightsError) as caught:
            importing.from_arrays(arrays, activation="relu", output="identity", layers=names)
        assert told in str(caught.value)
    with pytest.raises(WeightsError, match=r"'bn.weight' is not a layer \(shape \(7,\) belongs to"):
        importing.from_arrays(PLAIN | normalisation("bn", 7), layers=["fc1", "bn.weight"])


def test_many_layers_take_no_time() -> None:
    junk = {f"{index}.bias": np.ones(2) for index in range(5000)}
    junk |= {f"{index}.weight_g": np.ones(2) for index in range(5000)}
    assert "and 9987 more" in refusal(junk)
    deep = chain(" ".join(f"fc{index}" for index in range(300)), *[2] * 301)
    assert len(importing.from_arrays(deep, activation="relu", output="identity").layers) == 300
    wide = {f"{index:x}".replace("1", "z") + "q.weight": values(3, 2) for index in range(10, 90)}
    assert "--layers" in refusal(wide)
    letters = " ".join(f"{first}{second}" for first in "abcde" for second in "pqrst")
    dead = chain(letters, *[4] * 26) | linear("x", 5, 5)
    assert "might fit in too many orders; to import some layers" in refusal(dead)
    assert "each layer must take as many inputs" in refusal(
        dead | linear("y", 6, 9) | linear("z", 6, 9)
    )
    many = chain(" ".join(f"fc{index}" for index in range(501)), *[2] * 502)
    assert "layers: 501, wanted up to 500" in refusal(many)
