/** The network, computed in the page: the same weighted sums and squishes as on the server. */

const SQUISHES = {
  // In float32 as modelfile/activations.py has it: of outputs that are all but 1, the same ones are equal.
  sigmoid(x) {
    const decay = Math.fround(Math.exp(-Math.abs(x)));
    return (x >= 0 ? 1 : decay) / Math.fround(1 + decay);
  },
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  identity: (x) => x,
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
};

/** The activation functions there are. */
export const ACTIVATION_NAMES = [...Object.keys(SQUISHES), "softmax"];

function softmax(z) {
  const max = z.reduce((a, b) => Math.max(a, b));
  const powers = z.map((x) => Math.exp(x - max));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((x) => x / sum);
}

/** The index of the largest number, the first one if several are equal. */
export const brightest = (numbers) => numbers.reduce((best, x, k) => (x > numbers[best] ? k : best), 0);

/** H neurons after I: activation(weights . before + biases); weights are H x I, row-major. */
export class Layer {
  constructor(weights, biases, activation) {
    const neurons = biases.length;
    Object.assign(this, { weights, biases, activation, neurons, inputs: weights.length / neurons });
  }

  /** The weights that lead to one neuron, as a view: changes to it change the layer. */
  row(neuron) {
    return this.weights.subarray(neuron * this.inputs, (neuron + 1) * this.inputs);
  }

  /** The weighted sums, biases included: what the squish is applied to. */
  sums(before) {
    return this.biases.map((bias, h) => this.row(h).reduce((sum, weight, i) => sum + weight * before[i], bias));
  }

  squish(z) {
    return this.activation === "softmax" ? softmax(z) : z.map((x) => SQUISHES[this.activation](x));
  }

  clone() {
    return new Layer(this.weights.slice(), this.biases.slice(), this.activation);
  }
}

export class Network {
  constructor(layers, { labelNames, model, version, inputRange, imageLayout }) {
    Object.assign(this, { layers, inputs: layers[0].inputs, labelNames, model, version, inputRange, imageLayout });
  }

  /** From the JSON of /v1/.../network. */
  static fromJson({ layers, label_names, model, version, input_range, image_layout }) {
    return new Network(
      layers.map(
        ({ weights, biases, activation }) =>
          new Layer(Float32Array.from(weights.flat()), Float32Array.from(biases), activation),
      ),
      { labelNames: label_names, model, version, inputRange: input_range, imageLayout: image_layout },
    );
  }

  /** Rows and columns of its images, or null when its inputs are not an image. */
  get shape() {
    if (this.imageLayout) return [this.imageLayout.rows, this.imageLayout.columns];
    const side = Math.sqrt(this.inputs);
    return this.inputRange === "[0, 1]" && side > 4 && Number.isInteger(side) ? [side, side] : null;
  }

  /** Sums and activations of each layer for one image: {sums: [...], activations: [...]}. */
  forward(pixels) {
    const sums = [];
    const activations = [];
    for (const layer of this.layers) {
      sums.push(layer.sums(activations.at(-1) ?? pixels));
      activations.push(layer.squish(sums.at(-1)));
    }
    return { sums, activations };
  }

  clone() {
    return new Network(this.layers.map((layer) => layer.clone()), this);
  }
}
