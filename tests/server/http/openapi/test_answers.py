"""What HTTP answers is what its OpenAPI document says, whatever is asked."""

from typing import Any

import schemathesis
from hypothesis import Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from harness.server_process import ServerProcess
from harness.waiting import PATIENCE_SECONDS
from server.http.openapi.document import make

DOCUMENT = schemathesis.openapi.from_dict(make())

CONTROL = "/v2/repository/models/"
"""Where servers answer 501 that have not been told to let callers load and unload models."""


@DOCUMENT.parametrize()
@settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
def test_answers_are_as_documented(case: schemathesis.Case[Any], server: ServerProcess) -> None:
    # A schema can't tell how many pixels a model takes.
    excluded: list[Any] = [positive_data_acceptance]
    if case.path.startswith(CONTROL):
        excluded.append(not_a_server_error)
    case.call_and_validate(
        base_url=f"http://{server.http_address}",
        timeout=PATIENCE_SECONDS,
        excluded_checks=excluded,
    )
