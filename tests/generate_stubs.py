"""Generates mlpserve's code from proto/ with the pinned protoc, into the repository or into another
folder.
"""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CONTRACTS = ("mlpserve/v1/classifier.proto",)


def generate(into: Path) -> None:
    """Write the generated modules of every contract under the folder `into`.

    protoc comes from requirements/proto.txt in an environment of its own, because the version that
    generates code for protobuf 6 and 7 alike can't be installed beside protobuf 7.
    """
    protoc = ["python", "-m", "grpc_tools.protoc", "--proto_path", str(REPOSITORY / "proto")]
    outputs = [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python")]
    environment = ["--no-project", "--isolated", "--python", sys.executable]
    lock = ["--with-requirements", str(REPOSITORY / "requirements" / "proto.txt")]
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "run", "--quiet", *environment, *lock, *protoc, *outputs, *CONTRACTS], check=True
    )


if __name__ == "__main__":
    generate(REPOSITORY)
