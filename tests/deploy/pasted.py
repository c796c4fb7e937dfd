"""A shell in which the commands of a page about a cluster run without one.

`docker` and `kind` only note what they are asked for. `kubectl` is the real one, which reads its
arguments and manifests before it finds that there is no cluster; what it would have run in a pod
runs here.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.server_process import ROOT
from tests.documents.clone import link

NOTE = r"""#!/bin/sh
printf '%s' "${0##*/}" >> "$NOTES"
for argument in "$@"; do printf '\t%s' "$argument"; done >> "$NOTES"
echo >> "$NOTES"
"""

DOCKER = (
    NOTE
    + r"""
case " $* " in *" --file - "*) cat > "$NOTES.input" ;; esac
"""
)

KUBECTL = (
    NOTE
    + r"""
case " $* " in *" kustomize "* | *" --dry-run=client "*) exec "$KUBECTL" "$@" ;; esac
input=/dev/null
case " $* " in *" -f - "*) input=$NOTES.input; cat > "$input" ;; esac
said=$("$KUBECTL" --server http://127.0.0.1:1 "$@" 2>&1 < "$input")
case "$said" in *refused*) ;; *) echo "$said" >&2; exit 1 ;; esac
case " $* " in
*" get secret "*) printf Y2EK ;;
*" exec "*)
    while [ "$1" != -- ]; do shift; done
    shift
    cd "$POD" && exec "$@"
    ;;
esac
"""
)


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder that looks like a clone, and a pod's working directory."""

    folder: Path
    pod: Path
    variables: dict[str, str]

    @property
    def input(self) -> str:
        """What a program was given last."""
        return Path(self.variables["NOTES"] + ".input").read_text()

    def run(self, commands: str) -> tuple[list[list[str]], str]:
        """Run commands as they are pasted, each of which must succeed; return the programs' calls
        and what was printed.
        """
        notes = Path(self.variables["NOTES"])
        notes.write_text("")
        ended = subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", commands],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, f"{commands}{ended.stdout}{ended.stderr}"
        return [line.split("\t") for line in notes.read_text().splitlines()], ended.stdout


def shell(folder: Path, kubectl: Path) -> Shell:
    """Return a shell for an empty folder."""
    clone, pod, programs = (folder / name for name in ("clone", "pod", "programs"))
    for made in (clone, pod, programs):
        made.mkdir()
    link(clone)
    for name, text in (("docker", DOCKER), ("kind", NOTE), ("kubectl", KUBECTL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    variables = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "KUBECTL": str(kubectl),
        "KUBECONFIG": os.devnull,
        "NOTES": str(folder / "notes"),
        "POD": str(pod),
        "PYTHONPATH": str(ROOT),
        "GOGC": "off",
    }
    return Shell(clone, pod, variables)
