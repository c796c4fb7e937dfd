"""Generates mlpserve's code from proto/ with the pinned protoc, into the repository or into another
folder.
"""

import sys
from pathlib import Path

from harness import isolated

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = {
    "mlpserve/v1/classifier.proto": "",
    "mlpserve/v1/admin.proto": "",
    "inference/open_inference.proto": "mlpserve",
}
"""Each contract and the folder that its package belongs into: nobody's site-packages shall gain a
module called `inference`, whose generated code imports nothing of its own package."""


PYTHON = sys.executable if sys.version_info < (3, 14) else "3.13"
"""The pinned protoc has no wheel for 3.14."""


def generate(into: Path) -> None:
    """Write the generated modules of every contract under the folder `into`.

    protoc comes from requirements/proto.txt in an environment of its own, because the version that
    generates code for protobuf 6 and 7 alike can't be installed beside protobuf 7.
    """
    for contract, folder in FOLDERS.items():
        (into / folder).mkdir(exist_ok=True)
        kinds = ("python", "pyi") if folder else ("python", "pyi", "grpc_python")
        outputs = [f"--{kind}_out={into / folder}" for kind in kinds]
        protoc = ["-m", "grpc_tools.protoc", "--proto_path", str(REPOSITORY / "proto")]
        isolated.run("proto", [*protoc, *outputs, contract], PYTHON)


if __name__ == "__main__":
    generate(REPOSITORY)
