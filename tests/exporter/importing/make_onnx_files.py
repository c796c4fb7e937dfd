"""Write data/*.onnx, as other libraries export small perceptrons, and data/*.npz with what they
answer; see `main` for how to run it again.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

DATA = Path(__file__).parent / "data"
N_IMAGES = 6


def main() -> None:
    """Make the files of one library: python make_onnx_files.py torch|sklearn|keras|tensorflow.

    Each in a virtual environment of its own, none of which the tests need:

    - torch: torch==2.14.1 onnx==1.23.2 onnxscript==0.7.2
    - sklearn: scikit-learn==1.7.2 skl2onnx==1.20.0 onnx==1.23.2
    - keras and tensorflow: tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.17.0
    """
    {"torch": torch_files, "sklearn": sklearn_files, "keras": keras_files, "tensorflow": tf_files}[
        sys.argv[1]
    ]()


def save(name: str, model: onnx.ModelProto | Path, inputs: Any, answers: Any, **more: Any) -> None:
    """Keep a model without the traces of the program that made it, which name its folders."""
    kept = onnx.load(model) if isinstance(model, Path) else model
    for node in kept.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*kept.graph.value_info, *kept.graph.input, *kept.graph.output):
        del value.metadata_props[:]
    del kept.graph.metadata_props[:]
    onnx.save(kept, DATA / f"{name}.onnx")
    np.savez_compressed(DATA / f"{name}.npz", inputs=inputs, answers=answers, **more)


def torch_files() -> None:
    """By both exporters of PyTorch, of every activation and usual way to write a perceptron."""
    import torch  # type: ignore[import-not-found]
    from torch import nn

    torch.manual_seed(0)

    class View(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(16, 5), nn.Linear(5, 3)

        def forward(self, images: Any) -> Any:
            flat = images.view(images.size(0), -1)
            return nn.functional.log_softmax(self.second(torch.relu(self.first(flat))), dim=1)

    class Bytes(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(16, 5), nn.Linear(5, 3)

        def forward(self, images: Any) -> Any:
            scaled = (images.float() / 255 - 0.1307) / 0.3081
            return self.second(torch.sigmoid(self.first(scaled.flatten(1)))).softmax(-1)

    normalised = nn.Sequential(
        nn.BatchNorm1d(4), nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout()
    )
    normalised.append(nn.Linear(5, 3))
    normalised.append(nn.Softmax(dim=1))
    for layer in normalised:
        if isinstance(layer, nn.BatchNorm1d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias)
            nn.init.uniform_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.05, 0.3)
    plain = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4), nn.SELU(), nn.Linear(4, 3))
    networks = {
        "plain": (plain, torch.rand(N_IMAGES, 4)),
        "double": (
            nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3), nn.Softmax(1)).double(),
            torch.rand(N_IMAGES, 4, dtype=torch.float64),
        ),
        "normalised": (normalised.eval(), torch.rand(N_IMAGES, 4)),
        "view": (View(), torch.rand(N_IMAGES, 1, 4, 4)),
        "bytes": (Bytes(), torch.randint(0, 256, (N_IMAGES, 4, 4), dtype=torch.uint8)),
        "binary": (
            nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1), nn.Sigmoid()),
            torch.rand(N_IMAGES, 4),
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        for name, (network, images) in networks.items():
            answers = network(images).detach().numpy()
            opsets = (7, 13, 20) if name in ("plain", "normalised", "view") else (17,)
            for opset in opsets:
                torch.onnx.export(
                    network,
                    images,
                    path,
                    dynamo=False,
                    opset_version=opset,
                    input_names=["images"],
                    dynamic_axes={"images": {0: "batch"}},
                )
                save(f"torch_{name}_script_{opset}", path, images.numpy(), answers)
            torch.onnx.export(
                network,
                (images,),
                path,
                dynamo=True,
                external_data=False,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
            save(f"torch_{name}_dynamo", path, images.numpy(), answers)
        one = torch.rand(1, 1, 4, 4)
        network = networks["view"][0]
        answers = network(one).detach().numpy()
        torch.onnx.export(network, (one,), path, dynamo=True, external_data=False)
        save("torch_one_image_dynamo", path, one.numpy(), answers)
        torch.onnx.export(network, one, path, dynamo=False)
        save("torch_one_image_script", path, one.numpy(), answers)


def sklearn_files() -> None:
    """By skl2onnx: MLPClassifier and LogisticRegression, alone and after scalers."""
    from skl2onnx import to_onnx  # type: ignore[import-not-found]
    from sklearn.datasets import load_iris  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
    from sklearn.preprocessing import (  # type: ignore[import-untyped]
        MinMaxScaler,
        StandardScaler,
    )

    columns, species = load_iris(return_X_y=True)
    columns = columns.astype(np.float32)
    names = np.array(["setosa", "versicolor", "virginica"])[species]
    pixels = ((columns - columns.min(0)) / np.ptp(columns, axis=0)).astype(np.float32)

    def mlp(**options: Any) -> Any:
        settings = {"hidden_layer_sizes": (3,), "max_iter": 200, "tol": 0.01, "random_state": 0}
        return MLPClassifier(**settings | options)

    whole: Mapping[str, Any] = {"zipmap": True}
    made: Mapping[str, tuple[Any, Any, Any, Mapping[str, Any]]] = {
        "relu": (mlp(), pixels, species, whole),
        "logistic": (mlp(activation="logistic"), pixels, names, {"zipmap": False}),
        "tanh": (mlp(activation="tanh", hidden_layer_sizes=(3, 4)), pixels, names, whole),
        "identity": (mlp(activation="identity"), pixels, species + 5, {"zipmap": "columns"}),
        "binary": (mlp(), pixels, species == 1, whole),
        "binary_names": (
            mlp(),
            pixels,
            np.where(species == 1, "versicolor", "another"),
            {"zipmap": False},
        ),
        "binary_columns": (mlp(), pixels, species == 2, {"zipmap": "columns"}),
        "standard": (make_pipeline(StandardScaler(), mlp()), columns, names, whole),
        "minmax": (make_pipeline(MinMaxScaler(), mlp()), columns, species, {"zipmap": False}),
        "minmax_feature": (
            make_pipeline(MinMaxScaler((-1, 1)), StandardScaler(), mlp()),
            columns,
            species,
            whole,
        ),
        "regression": (LogisticRegression(max_iter=500), pixels, names, whole),
        "regression_binary": (LogisticRegression(), pixels, species == 0, {"zipmap": False}),
        "standard_regression": (
            make_pipeline(StandardScaler(), LogisticRegression()),
            columns,
            names,
            {"zipmap": False},
        ),
    }
    for name, (classifier, inputs, classes, options) in made.items():
        classifier.fit(inputs, classes)
        some = inputs[:: len(inputs) // N_IMAGES]
        last = classifier[-1] if hasattr(classifier, "steps") else classifier
        model = to_onnx(classifier, inputs[:1], options={id(last): options}, target_opset=17)
        save(
            f"sklearn_{name}",
            model,
            some,
            classifier.predict_proba(some),
            labels=classifier.classes_.astype(str),
        )
        if name in ("relu", "standard"):
            double = to_onnx(classifier, inputs[:1].astype(np.float64), options={id(last): options})
            save(
                f"sklearn_{name}_double",
                double,
                some.astype(np.float64),
                classifier.predict_proba(some),
                labels=classifier.classes_.astype(str),
            )


def keras_networks() -> dict[str, tuple[Any, Any]]:
    """Return networks of Keras, untrained, and inputs for them."""
    import keras  # type: ignore[import-not-found]

    keras.utils.set_random_seed(0)
    layers, random = keras.layers, np.random.default_rng(0)

    def chain(*parts: Any) -> Any:
        return keras.Sequential(list(parts))

    normalised = chain(
        keras.Input((4,)),
        layers.Dense(5, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Dropout(0.5),
        layers.Dense(3, activation="softmax"),
    )
    normalised.layers[1].set_weights([random.uniform(0.1, 1, 5) for _ in range(4)])
    pixels = random.random((N_IMAGES, 4), np.float32)
    return {
        "dense": (
            chain(
                keras.Input((4,)),
                layers.Dense(5, activation="sigmoid", bias_initializer="random_normal"),
                layers.Dense(4, activation="tanh"),
                layers.Dense(3, activation="softmax"),
            ),
            pixels,
        ),
        "flatten": (
            chain(
                keras.Input((4, 4)),
                layers.Rescaling(1 / 255),
                layers.Flatten(),
                layers.Dense(5, activation="relu"),
                layers.Dense(3),
            ),
            random.integers(0, 256, (N_IMAGES, 4, 4)).astype(np.float32),
        ),
        "image": (
            chain(
                keras.Input((4, 4, 1)),
                layers.Flatten(),
                layers.Dense(5, activation="selu", bias_initializer="random_normal"),
                layers.Dense(3, activation="softmax"),
            ),
            random.random((N_IMAGES, 4, 4, 1), np.float32),
        ),
        "normalised": (normalised, pixels),
        "binary": (
            chain(
                keras.Input((4,)),
                layers.Dense(3, activation="relu"),
                layers.Dense(1, activation="sigmoid"),
            ),
            pixels,
        ),
    }


def keras_files() -> None:
    """By Keras's own export to ONNX, from TensorFlow."""
    each_network(lambda network, path, _: network.export(path, format="onnx", verbose=False))


def tf_files() -> None:
    """By tf2onnx, from a function of TensorFlow as its command makes it of a SavedModel."""
    import tensorflow as tf  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import tf2onnx  # type: ignore[import-not-found]

    def write(network: Any, path: Path, inputs: Any) -> None:
        signature = [tf.TensorSpec((None, *inputs.shape[1:]), tf.float32)]
        function = tf.function(network, input_signature=signature)
        tf2onnx.convert.from_function(
            function, input_signature=signature, opset=15, output_path=str(path)
        )

    each_network(write, "tf2onnx")


def each_network(write: Callable[[Any, Path, Any], Any], prefix: str = "keras") -> None:
    """Write and keep every network of Keras."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        for name, (network, inputs) in keras_networks().items():
            answers = np.asarray(network(inputs))
            write(network, path, inputs)
            save(f"{prefix}_{name}", path, inputs, answers)


if __name__ == "__main__":
    main()
