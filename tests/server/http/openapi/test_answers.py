"""Whatever is asked, the answers are those of the OpenAPI documents: ours, and the protocol's."""

from typing import Any

import schemathesis
from hypothesis import Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from harness.server_process import ServerProcess
from harness.waiting import PATIENCE_SECONDS
from server.http.openapi.document import make
from tests.server.http.openapi import protocol

OWN = schemathesis.openapi.from_dict(make())
PROTOCOL = schemathesis.openapi.from_dict(protocol.document())

CONTROL = "/v2/repository/models/"
"""Where servers answer 501 that have not been told to let callers load and unload models."""

same_each_time = settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)


def check(case: schemathesis.Case[Any], server: ServerProcess, *excluded: Any) -> None:
    """Send a request, and hold the answer against the document."""
    case.call_and_validate(
        base_url=f"http://{server.http_address}",
        timeout=PATIENCE_SECONDS,
        # A schema can't tell how many pixels a model takes.
        excluded_checks=[positive_data_acceptance, *excluded],
    )


@OWN.parametrize()
@same_each_time
def test_answers_are_as_documented(case: schemathesis.Case[Any], server: ServerProcess) -> None:
    is_control = case.path.startswith(CONTROL)
    check(case, server, *((not_a_server_error,) if is_control else ()))


@PROTOCOL.parametrize()
@same_each_time
def test_answers_are_as_the_protocol_wants(
    case: schemathesis.Case[Any], server: ServerProcess
) -> None:
    # Servers may take more than the protocol has.
    check(case, server, negative_data_rejection)
