"""The calls that benchmarks make: each form is answered, and ids change from call to call."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from harness.calls import raw_method
from harness.forms import FORMS
from harness.load import Shape, h2load
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import classifier_pb2

CALLS = 20


def answer_of(channel: grpc.Channel, name: str, images: int) -> list[float]:
    """The activations that come for a form."""
    form = FORMS[name]
    content = raw_method(channel, form.path)(form.write(images), timeout=60)
    if name.startswith("Predict"):
        return list(classifier_pb2.PredictResponse.FromString(content).activations)
    response = protocol.ModelInferResponse.FromString(content)
    assert response.id == form.identifier
    if response.raw_output_contents:
        return list(memoryview(response.raw_output_contents[0]).cast("f"))
    return list(response.outputs[0].contents.fp32_contents)


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("is_bytes", [False, True])
def test_forms_have_the_same_answer(channel: grpc.Channel, images: int, is_bytes: bool) -> None:
    names = [name for name, form in FORMS.items() if form.is_bytes == is_bytes]
    answers = [answer_of(channel, name, images) for name in names]
    assert len(answers) > 1
    assert len(answers[0]) == 10 * images
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("name", FORMS)
def test_ids_change_from_call_to_call(name: str, tmp_path: Path) -> None:
    if not shutil.which("h2load") or not shutil.which("cc"):
        pytest.skip("needs h2load and a C compiler")
    form, requests = FORMS[name], []

    def receive(message: bytes, _context: grpc.ServicerContext) -> bytes:
        requests.append(message)
        return b""

    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(receive)
        service, method = form.path[1:].split("/")
        handlers = grpc.method_handlers_generic_handler(service, {method: handler})
        server.add_generic_rpc_handlers((handlers,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            address, shape = f"127.0.0.1:{port}", Shape(1, 2)
            command = h2load(str(tmp_path), address, shape, "-n", str(CALLS), form=form)
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        finally:
            server.stop(None).wait()
    if form.identifier:
        sent = [protocol.ModelInferRequest.FromString(request) for request in requests]
        assert len({request.id for request in sent}) == CALLS
        for request in sent:
            request.id = form.identifier
        requests = [request.SerializeToString() for request in sent]
    assert requests == [form.write(1)] * CALLS
