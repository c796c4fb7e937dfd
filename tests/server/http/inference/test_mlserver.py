"""A program that others wrote, `mlserver infer`, gets what gRPC answers."""

import json
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import ServerProcess
from tests.server.rpc.infer_calls import infer, raw_request

N_IMAGES = 10


@pytest.mark.parametrize("options", [[], ["--binary-data", "--batch-size", "3"]])
def test_mlserver_gets_what_grpc_answers(
    server: ServerProcess,
    channel: grpc.Channel,
    digits: tuple[Batch, Labels],
    tmp_path: Path,
    options: list[str],
) -> None:
    images = digits[0][:N_IMAGES]
    lines = [
        json.dumps(
            {
                "id": f"image-{index}",
                "inputs": [
                    {"name": "pixels", "datatype": "FP32", "shape": [1, 784], "data": pixels}
                ],
                "outputs": [{"name": "activations"}, {"name": "labels"}],
            }
        )
        for index, pixels in enumerate(images.tolist())
    ]
    requests, answers = tmp_path / "requests.jsonl", tmp_path / "answers.jsonl"
    requests.write_text("".join(f"{line}\n" for line in lines))
    program = str(isolated.install("mlserver") / "mlserver")
    command = [program, "infer", "--url", server.http_address, "--model-name", "digits"]
    files = ["--input-data-path", str(requests), "--output-data-path", str(answers)]
    subprocess.run([*command, *files, *options], check=True)
    found = [json.loads(line) for line in answers.read_text().splitlines()]
    assert sorted(one["id"] for one in found) == sorted(f"image-{i}" for i in range(N_IMAGES))
    wanted = infer(channel, raw_request(images, "activations", "labels"))
    activations = np.frombuffer(wanted.raw_output_contents[0], "<f4").reshape(N_IMAGES, -1)
    labels = np.frombuffer(wanted.raw_output_contents[1], "<i8")
    for one in found:
        index = int(one["id"].removeprefix("image-"))
        values = {output["name"]: output["data"] for output in one["outputs"]}
        np.testing.assert_array_equal(np.float32(values["activations"]), activations[index])
        assert values["labels"] == [labels[index]]
