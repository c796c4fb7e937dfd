"""What HTTP answers is what its OpenAPI document says, whatever is asked."""

import schemathesis
from hypothesis import Phase, settings

from harness.server_process import ServerProcess
from harness.waiting import PATIENCE_SECONDS
from server.http.openapi.document import make

DOCUMENT = schemathesis.openapi.from_dict(make())


@DOCUMENT.parametrize()
@settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
def test_answers_are_as_documented(case: schemathesis.Case, server: ServerProcess) -> None:
    case.call_and_validate(base_url=f"http://{server.http_address}", timeout=PATIENCE_SECONDS)
