/** The network, computed in the page: the same weighted sums and squishes as on the server. */

const ACTIVATIONS = {
  // In float32 as modelfile/activations.py has it: of outputs that are all but 1, the same ones are equal.
  sigmoid: (z) =>
    z.map((x) => {
      const decay = Math.fround(Math.exp(-Math.abs(x)));
      return (x >= 0 ? 1 : decay) / Math.fround(1 + decay);
    }),
  relu: (z) => z.map((x) => Math.max(0, x)),
  tanh: (z) => z.map(Math.tanh),
  identity: (z) => z.slice(),
  selu: (z) => z.map((x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))),
  softmax: (z) => {
    const max = z.reduce((a, b) => Math.max(a, b));
    const powers = z.map((x) => Math.exp(x - max));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((x) => x / sum);
  },
};

/** The activation functions there are. */
export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS);

/** The index of the largest number, the first one if several are equal. */
export function brightest(numbers) {
  let best = 0;
  for (let k = 1; k < numbers.length; k += 1) if (numbers[k] > numbers[best]) best = k;
  return best;
}

/** H neurons after I: activation(weights . before + biases); weights are H x I, row-major. */
export class Layer {
  constructor(weights, biases, activation) {
    this.weights = weights;
    this.biases = biases;
    this.activation = activation;
  }

  get neurons() {
    return this.biases.length;
  }

  get inputs() {
    return this.weights.length / this.biases.length;
  }

  /** The weights that lead to one neuron, as a view: changes to it change the layer. */
  row(neuron) {
    return this.weights.subarray(neuron * this.inputs, (neuron + 1) * this.inputs);
  }

  /** The weighted sums, biases included: what the squish is applied to. */
  sums(before) {
    const z = new Float32Array(this.neurons);
    for (let h = 0; h < this.neurons; h += 1) {
      const row = this.row(h);
      let sum = this.biases[h];
      for (let i = 0; i < row.length; i += 1) sum += row[i] * before[i];
      z[h] = sum;
    }
    return z;
  }

  squish(z) {
    return ACTIVATIONS[this.activation](z);
  }

  clone() {
    return new Layer(this.weights.slice(), this.biases.slice(), this.activation);
  }
}

export class Network {
  constructor(layers, { labelNames, model = "", version = 0, inputRange = "", imageLayout = null }) {
    Object.assign(this, { layers, labelNames, model, version, inputRange, imageLayout });
  }

  /** From the JSON of /v1/.../network. */
  static fromJson(json) {
    const layers = json.layers.map(
      ({ weights, biases, activation }) =>
        new Layer(Float32Array.from(weights.flat()), Float32Array.from(biases), activation),
    );
    return new Network(layers, {
      labelNames: json.label_names,
      model: json.model,
      version: json.version,
      inputRange: json.input_range,
      imageLayout: json.image_layout,
    });
  }

  get inputs() {
    return this.layers[0].inputs;
  }

  /** Rows and columns of its images, or null when its inputs are no image. */
  get shape() {
    if (this.imageLayout) return [this.imageLayout.rows, this.imageLayout.columns];
    const side = Math.round(Math.sqrt(this.inputs));
    return this.inputRange === "[0, 1]" && side > 4 && side * side === this.inputs ? [side, side] : null;
  }

  /** Sums and activations of each layer for one image: {sums: [...], activations: [...]}. */
  forward(pixels) {
    const sums = [];
    const activations = [];
    let before = pixels;
    for (const layer of this.layers) {
      sums.push(layer.sums(before));
      before = layer.squish(sums.at(-1));
      activations.push(before);
    }
    return { sums, activations };
  }

  clone() {
    return new Network(this.layers.map((layer) => layer.clone()), this);
  }
}
