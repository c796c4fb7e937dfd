"""mlpserve keeps every rule of the protocol that its models can be asked about."""

import json
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from harness import certificate
from harness.server_process import mode, start_server
from tests.conformance.bridge import OF_GRPC
from tests.conformance.command import main
from tests.conformance.rules import RULES

TOKEN, ADMIN = "0123456789abcdef-caller", "0123456789abcdef-admin"
OF_OTHER_MODELS = {
    "infer.half-precision-is-raw",
    "forms.missing-raw-contents-are-an-error",
    "forms.inputs-may-come-in-any-order",
    "forms.broken-raw-texts-are-an-error",
}
"""What only models of several inputs, or of texts and FP16, can be asked."""


def secret(file: Path, text: str) -> Path:
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    return file


def results(address: str, *options: str | Path) -> dict[str, Any]:
    """Return what the command prints about the shipped model."""
    command = [address, "--model", "digits", "--json", *map(str, options)]
    ended = CliRunner().invoke(main, command)
    found: dict[str, Any] = json.loads(ended.stdout)
    assert ended.exit_code == int(found["failed"] > 0)
    return found


def check(found: dict[str, Any], others: Collection[str] = ()) -> None:
    by_name = {rule["name"]: rule for rule in found["rules"]}
    failed = {name: rule for name, rule in by_name.items() if rule["outcome"] == "failed"}
    assert not failed
    skipped = {name: rule for name, rule in by_name.items() if rule["outcome"] == "skipped"}
    assert skipped.keys() == OF_OTHER_MODELS.union(others), skipped


# The largest batch is tried as well, so it must not be a large one.
OPTIONS = ("--max-batch-size", "100", "--watch", "off")


def test_every_rule_is_kept_on_the_lane_with_tls_and_tokens_by_several_workers(
    repository: Path, tmp_path: Path
) -> None:
    its = certificate.make(tmp_path)
    files = {
        "--tls-certificate": its.certificate_file,
        "--tls-key": its.key_file,
        "--tokens-file": secret(tmp_path / "callers", f"caller: {TOKEN}"),
        "--admin-tokens-file": secret(tmp_path / "admins", f"boss: {ADMIN}"),
    }
    arguments = [str(part) for pair in files.items() for part in pair]
    with start_server(repository, *OPTIONS, *mode(True), "--workers", "2", *arguments) as server:
        found = results(
            server.grpc_address,
            *("--change-models", "--ca", its.certificate_file),
            *("--token-file", secret(tmp_path / "caller", TOKEN)),
            *("--admin-token-file", secret(tmp_path / "admin", ADMIN)),
        )
    check(found)


def test_every_rule_is_kept_on_threads(repository: Path, tmp_path: Path) -> None:
    admins = secret(tmp_path / "admins", f"boss: {ADMIN}")
    token = secret(tmp_path / "admin", ADMIN)
    arguments = ["--admin-tokens-file", str(admins)]
    with start_server(repository, *OPTIONS, *mode(False), *arguments) as server:
        found = results(server.grpc_address, "--change-models", "--admin-token-file", token)
    check(found)


def test_a_watched_repository_is_left_alone(repository: Path, tmp_path: Path) -> None:
    admins = secret(tmp_path / "admins", f"boss: {ADMIN}")
    token = secret(tmp_path / "admin", ADMIN)
    with start_server(repository, "--admin-tokens-file", str(admins)) as server:
        options: list[str | Path] = ["--change-models", "--extension", "model_repository"]
        options += ["--only", "repository.*"]
        for given in (options, [*options, "--admin-token-file", token]):
            found = results(server.grpc_address, *given)
            reasons = [rule["reason"] for rule in found["rules"] if rule["reason"]]
            assert (found["failed"], len(reasons)) == (0, 5)
            assert all("loading is refused with" in reason for reason in reasons)


def test_every_rule_is_kept_over_http(repository: Path, tmp_path: Path) -> None:
    files = {
        "--tokens-file": secret(tmp_path / "callers", f"caller: {TOKEN}"),
        "--admin-tokens-file": secret(tmp_path / "admins", f"boss: {ADMIN}"),
    }
    arguments = [str(part) for pair in files.items() for part in pair]
    with start_server(repository, *OPTIONS, *arguments) as server:
        found = results(
            f"http://{server.http_address}",
            *("--change-models", "--token-file", secret(tmp_path / "caller", TOKEN)),
            *("--admin-token-file", secret(tmp_path / "admin", ADMIN)),
        )
    check(found, {rule.name for rule in RULES if rule.name.startswith("streams.")})
    asked = {rule["name"] for rule in found["rules"]}
    unasked = {rule.name for rule in RULES} - asked
    assert all(any(fnmatch(name, pattern) for pattern in OF_GRPC) for name in unasked)
