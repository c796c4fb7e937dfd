"""What an array's name says: which layer it belongs to, which part of that it is, and its place.

Names are read as NumPy users, PyTorch, scikit-learn and Keras give them: W1 and b1, fc1.weight and
fc1.bias, coefs_0 and intercepts_0, dense_1/kernel:0 and dense_1/bias:0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

WEIGHTS = frozenset({"w", "weight", "weights", "kernel", "kernels", "coef", "coefs"})
BIASES = frozenset({"b", "bias", "biases", "intercept", "intercepts"})
IN_OUT = frozenset({"kernel", "kernels", "coef", "coefs"})
"""Words of Keras and scikit-learn, which keep weights as (n_in, n_out)."""

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_CARDINALS = "one two three four five six seven eight nine ten"

INPUT, EARLY, MIDDLE, OUTPUT = 0.0, 0.8, 1.0, 2.0
"""How near to the output the words of a layer's name put it."""

_PLACES: Mapping[float, str] = {
    INPUT: "in inp input inputs stem entry bottom begin start",
    EARLY: "features feature extractor encoder backbone trunk body base shared common",
    MIDDLE: "hidden mid middle inner intermediate layer layers fc fcs linear linears lin dense mlp "
    "net network nn dnn model module main core seq sequential stack block blocks stage stages l h "
    "relu ff ffn feed forward fully connected perceptron affine",
    OUTPUT: "out output outputs head heads classifier clf cls final last end logit logits "
    "predictor prediction predictions pred top tail softmax readout probe",
}
PLACES: Mapping[str, float] = {
    **{word: place for place, words in _PLACES.items() for word in words.split()},
    **{word: (index + 1) / 100 for index, word in enumerate(_ORDINALS.split())},
    **{word: (index + 1) / 100 for index, word in enumerate(_CARDINALS.split())},
}

_KINDS: Mapping[str, str] = {
    "a recurrent layer": "rnn lstm gru bilstm bigru recurrent hh",
    "attention": "attn attention selfattention qkv mha",
    "an embedding": "emb embed embeds embedding embeddings embedder wte wpe",
    "a convolution": "conv convs convolution deconv gcn gat",
    "a low-rank or other adapter, to be merged into the weights that it changes": "lora dora loha "
    "lokr adapter adapters",
    "a mixture of experts or a gate": "expert experts moe router gate gating gates glu",
    "a skip connection": "skip shortcut residual bypass highway res resblock lateral",
    "an optimizer's state": "optimizer optim optimiser scheduler grad grads gradient velocity "
    "momentum adam",
    "a quantised layer, whose weights are scale * (weights - zero_point)": "quant quantized "
    "quantised scale scales packed qweight qzeros absmax",
    "a head with normalised weights": "arcface cosface cosine",
}
KINDS: Mapping[str, str] = {word: kind for kind, words in _KINDS.items() for word in words.split()}
"""What a layer is that has such a word in its name, other than one of a perceptron."""

_RECURRENT = re.compile(
    r"(^|[./_])(i2h|h2h|x2h|i2o|(weight|bias)_(ih|hh)|hidden_?(to_?|2_?)?hidden)([./_]|$)"
)
COUNTERS = re.compile(r"(.*[./])?n_averaged")
"""Counters of steps, not part of a network's computation: of torch.optim.swa_utils."""
_HEADS = ({"q", "k", "v"}, {"query", "key", "value"}, {"queries", "keys", "values"})

Role = Literal["weights", "biases"]


@dataclass(frozen=True, slots=True)
class Component:
    """The words, in lower case, and the numbers of one part of a path: fc1 is (fc), (1)."""

    words: tuple[str, ...]
    numbers: tuple[int, ...]

    @property
    def place(self) -> float | None:
        """How near to the output its words put it; None when they don't tell."""
        places = {PLACES.get(word) for word in self.words}
        told = {place for place in places if place is not None and place != MIDDLE}
        if len(told) == 1:
            return told.pop()
        if told:
            # Words such as those of encoder_out: what is last counts, unless it is first as well.
            return OUTPUT if OUTPUT in told and INPUT not in told else None
        return None if None in places else MIDDLE


Stem = tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """An array's name: its part of a layer, if any, the layer's path and its name for users.

    `has_path` tells whether it is a path, and `has_words` whether the part's own word stands beside
    others, as in weight_scale.
    """

    role: Role | None
    stem: Stem
    layer: str
    has_path: bool = False
    has_words: bool = False


def read(name: str) -> Name:
    """Return what a name says."""
    # TensorFlow's :0 counts a graph's outputs, not layers.
    parts = [part for part in re.split(r"[./]", re.sub(r":\d+$", "", name)) if _component(part)]
    components = [found for part in parts if (found := _component(part))]
    if not components:
        return Name(None, (), name)
    while len(components) > 1 and not components[-1].words:
        # As PyTorch names a list's elements: weights.0, biases.0.
        number, listed = components.pop(), components.pop()
        components.append(Component(listed.words, listed.numbers + number.numbers))
    *path, leaf = components
    roles = [word for word in leaf.words if word in WEIGHTS | BIASES]
    if not roles:
        return Name(None, tuple(components), name, bool(path))
    last = len(leaf.words) - 1 - leaf.words[::-1].index(roles[-1])
    others = (*leaf.words[:last], *leaf.words[last + 1 :])
    rest = Component(others, leaf.numbers)
    is_bare = not others and not leaf.numbers
    stem = tuple(path) if is_bare else (*path, rest)
    layer = re.sub(r"[./][^./]*$", "", name) if is_bare and path else name
    role: Role = "weights" if roles[-1] in WEIGHTS else "biases"
    return Name(role, stem, layer, bool(path), bool(others))


def kind(name: str, stem: Stem) -> str | None:
    """Return the kind of layer that a name suggests, if it isn't a perceptron's."""
    if _RECURRENT.search(name):
        return "a recurrent layer"
    return next((KINDS[word] for part in stem for word in part.words if word in KINDS), None)


def is_attention(stems: Sequence[Stem]) -> bool:
    """Whether layers are named as queries, keys and values."""
    words = {word for stem in stems for part in stem for word in part.words}
    return any(len(words & heads) > 1 for heads in _HEADS)


def _component(part: str) -> Component | None:
    words = tuple(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", part))
    numbers = tuple(int(number) for number in re.findall(r"\d{1,18}", part))
    return Component(words, numbers) if words or numbers else None
