"""The same function with other neurons: tanh while training becomes sigmoid to ship, exactly."""

from exporter.training.backpropagation import Array, Parameters


def fold_tanh(parameters: Parameters) -> list[Array]:
    """Return the parameters of the sigmoid network equal to one with tanh hidden layers.

    tanh(x) = 2 sigmoid(2x) - 1, so a hidden layer's own W and b are doubled, and the layer after
    it, which read h = 2 s - 1, now reads s: W h + b = (2 W) s + (b - W 1). For two hidden layers:

        W1, b1 -> 2 W1, 2 b1;  b2 -> 2 (b2 - W2 1), W2 -> 4 W2;  b3 -> b3 - W3 1, W3 -> 2 W3.
    """
    folded: list[Array] = []
    last = len(parameters) // 2 - 1
    for layer in range(last + 1):
        weights, biases = parameters[2 * layer], parameters[2 * layer + 1]
        if layer > 0:
            weights, biases = 2 * weights, biases - weights.sum(axis=1)
        if layer < last:
            weights, biases = 2 * weights, 2 * biases
        folded += [weights, biases]
    return folded
