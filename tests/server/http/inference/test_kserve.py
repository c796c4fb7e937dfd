"""A client that others wrote, KServe's, gets over HTTP what gRPC answers, bit by bit."""

from pathlib import Path

import grpc
import numpy as np

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import ServerProcess
from tests.server.rpc.infer_calls import infer, raw_request

N_IMAGES = 20
FORMS = [f"{form}_{answer}" for form in ("binary", "json") for answer in ("binary", "json")]


def test_kserve_gets_what_grpc_answers(
    server: ServerProcess, channel: grpc.Channel, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    images, answers = tmp_path / "images.npy", tmp_path / "answers.npz"
    np.save(images, digits[0][:N_IMAGES])
    script = Path(__file__).with_name("kserve_calls.py")
    isolated.run("kserve", [script, server.http_address, images, answers])
    asked = raw_request(digits[0][:N_IMAGES], "activations", "labels", "hidden_1")
    raw = infer(channel, asked).raw_output_contents
    activations, hidden = (
        np.frombuffer(values, "<f4").reshape(N_IMAGES, -1) for values in (raw[0], raw[2])
    )
    labels = np.frombuffer(raw[1], "<i8")
    with np.load(answers) as found:
        for form in FORMS:
            np.testing.assert_array_equal(found[f"{form}_activations"], activations)
            np.testing.assert_array_equal(found[f"{form}_labels"], labels)
        np.testing.assert_array_equal(found["hidden_1"], hidden)
        np.testing.assert_array_equal(found["dictionary_labels"], labels)
