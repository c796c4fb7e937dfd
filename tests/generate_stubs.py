"""Generates mlpserve's code from proto/ with the pinned protoc, into the repository or into another
folder.
"""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = {"mlpserve/v1/classifier.proto": "", "inference/open_inference.proto": "mlpserve"}
"""Each contract and the folder that its package belongs into: nobody's site-packages shall gain a
module called `inference`, whose generated code imports nothing of its own package."""


def generate(into: Path) -> None:
    """Write the generated modules of every contract under the folder `into`.

    protoc comes from requirements/proto.txt in an environment of its own, because the version that
    generates code for protobuf 6 and 7 alike can't be installed beside protobuf 7.
    """
    protoc = ["python", "-m", "grpc_tools.protoc", "--proto_path", str(REPOSITORY / "proto")]
    environment = ["--no-project", "--isolated", "--python", sys.executable]
    lock = ["--with-requirements", str(REPOSITORY / "requirements" / "proto.txt")]
    uv = Path(sys.executable).with_name("uv")
    run: list[str | Path] = [uv, "run", "--quiet", *environment, *lock, *protoc]
    for contract, folder in FOLDERS.items():
        (into / folder).mkdir(exist_ok=True)
        kinds = ("python", "pyi") if folder else ("python", "pyi", "grpc_python")
        outputs = [f"--{kind}_out={into / folder}" for kind in kinds]
        subprocess.run([*run, *outputs, contract], check=True)


if __name__ == "__main__":
    generate(REPOSITORY)
