"""What the exporter writes into a model's file and the server relies on, each fact once.

The file is ONNX, and its metadata says `mlpserve/1`. Numbers are float32; N is any number of
images.

- input `pixels` (N, n_in), in [0, 1] unless `input_range` says otherwise
- outputs `activations` (N, classes), then `hidden_1`, `hidden_2`, ... (N, neurons), input to output
- one Gemm per layer, of `W1` (n_out, n_in) and `b1` (n_out,), `W2` and `b2`, ..., and one operator
  for its activation

Metadata, each value a text:

- `format`: "mlpserve/1"
- `labels`: JSON list, the name of each class
- `layer_sizes`: JSON list, neurons of each layer from input to output, such as [784, 16, 16, 10]
- `layer_activations`: JSON list, the activation of each layer after the input
- `parameters`: the number of weights and biases
- `weights_sha256`: of W1, b1, W2, b2, ... as little-endian float32, row-major, in hexadecimal
- `provenance`: JSON object, how the network was trained, its accuracy and on what it was measured
- `input_range` (only when it is not [0, 1]): the numbers that the network takes, "[low, high]", or
  "finite" for any finite float32
- `golden_pixels`: images (eight, n_in) as little-endian float32, row-major, in base64
- `golden_activations`: what NumPy computed for them, (eight, classes), written likewise
- `golden_precision`: "float64" when it computed them so and rounded only the outputs, so that they
  tell more exactly whether the weights are right; `modelfile/golden.py` has the tolerance
- `evaluation` (only when it was measured): JSON object, how the network did on test images: right
  and wrong answers, calibration, distorted images; `exporter/study/records.py` describes it
- `reference` (only when it was measured): JSON object, what the training images looked like and
  what the network said to them; `modelfile/reference.py` describes it
- `image_layout` (only when it could be measured): JSON object, how large the ink of the training
  images is and where; `modelfile/image_layout.py` describes it
"""
