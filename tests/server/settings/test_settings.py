"""Settings come from flags, environment and file, in that order, and mistakes are errors."""

import json
import re
import tempfile
import tomllib
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings, strategies

from harness.server_process import ROOT
from server.__main__ import main
from server.health import health_command
from server.settings.settings import GROUPS, REMOVED, Settings


def test_help_lists_every_setting_with_its_variable() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for word in (
        "--grpc-address",
        "MLPSERVE_GRPC_ADDRESS",
        "--max-batch-size",
        "default: 4096",
        "--config",
    ):
        assert word in " ".join(text.split()), text


def test_help_puts_each_setting_under_a_heading() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    headings = [line[:-1] for line in text.splitlines() if line[:1].isalpha() and line[-1] == ":"]
    assert headings == [*GROUPS, "Other"]
    for group, names in GROUPS.items():
        for name in names:
            before = text[: text.index(f"  --{name.replace('_', '-')} ")]
            assert group == max(headings, key=lambda heading: before.rfind(f"\n{heading}:\n")), name


def test_print_config_says_where_each_value_is_from(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("max_concurrent_calls = 7\nmax_streams = 5\n")
    (tmp_path / "tokens").write_text("caller: 0123456789abcdef\n")
    arguments = ["--print-config", "--config", str(file), "--tokens-file", str(tmp_path / "tokens")]
    variables = {"MLPSERVE_MAX_STREAMS": "6", "MLPSERVE_LOG_LEVEL": "debug"}
    ended = CliRunner().invoke(main, arguments, env=variables)
    assert ended.exit_code == 0, ended.stderr
    lines = ended.stdout.splitlines()
    for line in (
        f"max_concurrent_calls = 7  # file {file}",
        "max_streams = 6  # environment variable MLPSERVE_MAX_STREAMS",
        'log_level = "debug"  # environment variable MLPSERVE_LOG_LEVEL',
        f'tokens_file = "{tmp_path / "tokens"}"  # flag',
        "max_batch_size = 4096  # default",
        "# tls_key =  # default",
    ):
        assert line in lines
    assert "0123456789abcdef" not in ended.stdout + ended.stderr
    # What is printed is a settings file.
    values = tomllib.loads(ended.stdout)
    unset = {"tls_certificate", "tls_key", "tls_client_ca", "admin_tokens_file"}
    assert set(values) >= {setting.name for setting in fields(Settings)} - unset
    file.write_text(ended.stdout)
    again = CliRunner().invoke(main, ["--print-config", "--config", str(file)])
    assert tomllib.loads(again.stdout) == values


def test_flag_wins_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('default_model = "of-file"\nrepository = "of-file"\nlog_level = "error"\n')
    arguments = ["--print-config", "--config", str(file)]
    flag, variables = ["--repository", "of-flag"], {"MLPSERVE_REPOSITORY": "of-environment"}
    for more, env, repository in (
        ([], {}, "of-file"),
        ([], variables, "of-environment"),
        (flag, variables, "of-flag"),
        (flag, {}, "of-flag"),
    ):
        ended = CliRunner().invoke(main, [*arguments, *more], env=env)
        values = tomllib.loads(ended.stdout)
        assert values["repository"] == repository
        assert (values["default_model"], values["log_level"]) == ("of-file", "error")
    ended = CliRunner().invoke(main, ["--print-config"], env={"MLPSERVE_CONFIG": str(file)})
    assert tomllib.loads(ended.stdout)["repository"] == "of-file"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("max_batch_sise = 3", "unknown key 'max_batch_sise'; did you mean max_batch_size?"),
        ("nonsense = 3", "unknown key 'nonsense'; __help lists all settings"),
        ("max_batch_size = ", "can't be read"),
        ("max_batch_size = 0", "max_batch_size"),
        ('stop_grace_seconds = "soon"', "stop_grace_seconds"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(content)
    ended = CliRunner().invoke(main, ["--config", str(file)])
    assert ended.exit_code == 2
    assert words in " ".join(ended.stderr.replace("-", "_").split())


FLOATS = [setting.name for setting in fields(Settings) if isinstance(setting.default, float)]
COUNTS = [setting.name for setting in fields(Settings) if type(setting.default) is int]


def test_the_settings_that_are_numbers_are_known() -> None:
    assert len(FLOATS) >= 5
    assert len(COUNTS) >= 8


@pytest.mark.parametrize("source", ["flag", "variable", "file"])
@pytest.mark.parametrize(
    ("names", "values"),
    [
        (FLOATS, ["nan", "inf", "-inf", "1e300"]),
        (COUNTS, ["-1", str(2**31), str(2**64), "9" * 400]),
    ],
    ids=["floats", "counts"],
)
def test_numbers_that_make_no_sense(
    tmp_path: Path, source: str, names: list[str], values: list[str]
) -> None:
    file = tmp_path / "settings.toml"
    for name in names:
        flag = f"--{name.replace('_', '-')}"
        for value in values:
            arguments, variables = ["--print-config"], {}
            if source == "flag":
                arguments.append(f"{flag}={value}")
            elif source == "variable":
                variables[f"MLPSERVE_{name.upper()}"] = value
            else:
                file.write_text(f"{name} = {value}\n")
                arguments += ["--config", str(file)]
            ended = CliRunner().invoke(main, arguments, env=variables)
            assert ended.exit_code == 2, (name, value, ended.output)
            words = " ".join(ended.stderr.split())
            assert f"Invalid value for '{flag}'" in words
            shown = str(float(value)) if name in FLOATS else value
            assert f"{shown} is not in the range" in words


@pytest.mark.parametrize(
    "content",
    [
        "stop_grace_seconds = true",
        "workers = 1.9",
        "workers = true",
        "workers = [1]",
        "stop_grace_seconds = {a = 1}",
        "stop_grace_seconds = 2020-01-01",
        'repository = "a\\u0000b"',
        "max_streams = " + "9" * 5000,
        "max_streams = " + "[" * 100_000,
    ],
)
def test_values_of_the_file_that_are_of_another_kind(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(content)
    ended = CliRunner().invoke(main, ["--print-config", "--config", str(file)])
    assert ended.exit_code == 2, ended.output
    assert "Error: Invalid value for" in ended.stderr


@pytest.mark.parametrize("flag", ["--grpc-address", "--http-address"])
@pytest.mark.parametrize("host", ["a..b", "x" * 70, "a\udcffb"])
def test_names_that_no_host_has(flag: str, host: str) -> None:
    ended = CliRunner().invoke(main, ["--http-address", "127.0.0.1:0", flag, f"{host}:80"])
    assert ended.exit_code == 1
    assert re.search("it is not a host name|not valid Unicode; give another", ended.stderr)


@pytest.mark.parametrize(
    "arguments", [["--max-streams", "0"], ["--max-stream", "x"], ["--log-format", "xml"], ["extra"]]
)
def test_mistakes_in_the_flags(arguments: list[str]) -> None:
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 2
    assert "Error: " in ended.stderr


def test_mistakes_in_the_environment() -> None:
    ended = CliRunner().invoke(main, [], env={"MLPSERVE_MAX_BATCH_SIZE": "many"})
    assert ended.exit_code == 2
    assert "'--max-batch-size'" in ended.stderr


def test_misspelt_variables_are_mistakes() -> None:
    variables = {"MLPSERVE_MAX_BATCH_SISE": "3"}
    ended = CliRunner().invoke(main, [], env=variables)
    assert ended.exit_code == 2
    words = "MLPSERVE_MAX_BATCH_SISE is not a setting; did you mean MLPSERVE_MAX_BATCH_SIZE?"
    assert words in " ".join(ended.stderr.split())
    helped = CliRunner().invoke(main, ["--help"], env=variables)
    assert helped.exit_code == 0, "help must not depend on it"


@pytest.mark.parametrize("name", REMOVED)
@pytest.mark.parametrize("source", ["flag", "variable", "file"])
def test_removed_settings_say_what_holds_now(tmp_path: Path, source: str, name: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"{name} = 1\n")
    arguments, variables = {
        "flag": ([f"--{name.replace('_', '-')}", "1"], {}),
        "variable": ([], {f"MLPSERVE_{name.upper()}": "1"}),
        "file": (["--config", str(file)], {}),
    }[source]
    ended = CliRunner().invoke(main, ["--print-config", *arguments], env=variables)
    assert ended.exit_code == 2
    assert f"; it was removed: {REMOVED[name]}" in " ".join(ended.stderr.split())


def test_removed_settings_are_in_the_changelog() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert not [name for name in REMOVED if f"`{name}`" not in changes]


def test_variables_that_others_set_are_none_of_ours() -> None:
    links = {
        "MLPSERVE_SERVICE_HOST": "10.0.0.1",
        "MLPSERVE_SERVICE_PORT": "50051",
        "MLPSERVE_SERVICE_PORT_GRPC": "50051",
        "MLPSERVE_PORT": "tcp://10.0.0.1:50051",
        "MLPSERVE_PORT_50051_TCP": "tcp://10.0.0.1:50051",
        "MLPSERVE_PORT_50051_TCP_ADDR": "10.0.0.1",
        "MLPSERVE_HEADLESS_SERVICE_HOST": "None",
    }
    variables = links | {"MLPSERVE_MNIST": "folder"}
    ended = CliRunner().invoke(main, ["--print-config"], env=variables)
    assert ended.exit_code == 0, ended.stderr
    ended = CliRunner().invoke(main, ["--print-config"], env={"MLPSERVE_PORT": "50051"})
    assert ended.exit_code == 2
    assert "MLPSERVE_PORT is not a setting" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tls-key", "key"], "tls_key is given without tls_certificate; give --tls-certificate"),
        (["--tls-certificate", "pem"], "tls_certificate is given without tls_key; give --tls-key"),
        (["--http-tls", "on"], "http_tls is on without tls_certificate; give --tls-certificate"),
        (["--http-cors-origins", "a.example"], "http_cors_origins has 'a.example', which is no"),
        (["--http-cors-origins", "https://a/path"], "give --http-cors-origins https://HOST"),
        (["--http-cors-origins", "https://A.example"], "in lower case"),
        (["--http-cors-origins", "https://a, *"], "http_cors_origins has * for all origins and"),
        (["--tls-client-ca", "ca"], "tls_client_ca is given, but callers present certificates"),
        (
            ["--tokens-file", "tokens", "--admin-tokens-file", "tokens"],
            "tokens_file and admin_tokens_file are both tokens",
        ),
        (
            ["--max-queued-images", "10"],
            "max_queued_images is 10, less than max_batch_size, 4096: a full batch could never "
            "be queued; raise --max-queued-images or lower --max-batch-size",
        ),
        (["--drain-delay-seconds", "2000"], "drain_delay_seconds is 2000"),
        (
            ["--otlp-endpoint", "collector:4317"],
            "otlp_endpoint is 'collector:4317', not an http or https URL with a host; give "
            "--otlp-endpoint http://HOST:4317",
        ),
        (["--otlp-endpoint", "http://host:port"], "otlp_endpoint is 'http://host:port', not an"),
    ],
)
def test_contradictory_settings(arguments: list[str], words: str) -> None:
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("Error: ")
    assert len(ended.stderr.splitlines()) == 1
    assert words in ended.stderr


HOSTILE = {
    "a date": "max_streams = 2020-01-01",
    "a list": "max_streams = [1]",
    "a table": "[max_streams]\na = 1",
    "a truth": "max_streams = true",
    "a fraction": "max_streams = 1.5",
    "a NUL in a path": 'tls_certificate = "a\\u0000b"',
    "a NUL in an address": 'grpc_address = "127.0.0.1:0\\u0000"',
    "a line end": 'repository = "models\\n"',
    "nested lists": "versions = " + "[" * 5000 + "]" * 5000,
    "nested tables": "labels = " + "{a=" * 5000 + "1" + "}" * 5000,
    "many digits": f"max_streams = {'9' * 5000}",
    "a large count": f"max_concurrent_calls = {'9' * 30}",
    "a date that is none": "max_streams = 2020-13-41",
    "no UTF-8": "default_model = '\xff'",
    "text twice": "max_streams = 1\nmax_streams = 2",
    "a list for a text": "default_model = ['a', 'b']",
    "a date for a text": "default_model = 2020-01-01T00:00:00Z",
}


@pytest.mark.parametrize("command", [main, health_command], ids=["server", "health"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_files_of_settings_that_nobody_meant(
    tmp_path: Path, command: click.Command, kind: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(HOSTILE[kind].encode("latin-1"))
    others = ["--print-config"] if command is main else ["--http-address", "127.0.0.1:1"]
    ended = CliRunner().invoke(command, ["--config", str(file), *others])
    assert isinstance(ended.exception, SystemExit), ended.exception
    assert ended.exit_code in (1, 2)
    assert len(ended.output) < 2000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRPC_ADDRESS", "127.0.0.1:0\n"),
        ("REPOSITORY", "models\n"),
        ("TOKENS_FILE", "a\tb"),
        ("MAX_CONCURRENT_CALLS", "9" * 30),
        ("MAX_STREAMS", "9" * 5000),
        ("STOP_GRACE_SECONDS", "9" * 5000),
        ("DEFAULT_MODEL", "\udcff"),
        ("VERSIONS", "latest 99999999999999999999"),
        ("TRAFFIC", "a: " + "b 1, " * 9999),
        ("OTLP_ENDPOINT", "http://[::1"),
        ("GRPC_ADDRESS", "127.0.0.1:\u00b2"),
        ("HTTP_ADDRESS", "[::1"),
    ],
)
def test_variables_that_nobody_meant(name: str, value: str, tmp_path: Path) -> None:
    variables = {"MLPSERVE_REPOSITORY": str(tmp_path / "none"), f"MLPSERVE_{name}": value}
    ended = CliRunner().invoke(main, ["--print-config"], env=variables)
    assert isinstance(ended.exception, SystemExit | None), ended.exception


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    key=strategies.sampled_from([setting.name for setting in fields(Settings)]),
    value=strategies.one_of(
        strategies.text(max_size=20).map(json.dumps),
        strategies.integers().map(str),
        strategies.floats().map(str),
        strategies.sampled_from(["[]", "{}", "[[1], {a = 'b'}]", "1979-05-27", "true", "0x1F"]),
    ),
)
def test_any_file_of_settings_is_taken_or_refused(key: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        file.write_text(f"{key} = {value}", "utf-8")
        ended = CliRunner().invoke(main, ["--print-config", "--config", str(file)])
    assert isinstance(ended.exception, SystemExit | None), ended.exception


@pytest.mark.parametrize(
    "origins",
    ["", "*", "https://a.example", "https://a.example, http://localhost:3000 http://[::1]:8080"],
)
def test_origins_are_as_browsers_send_them(origins: str) -> None:
    ended = CliRunner().invoke(main, ["--print-config", "--http-cors-origins", origins])
    assert ended.exit_code == 0, ended.stderr


@pytest.mark.parametrize("size", ["0", "4095", "1073741825"])
def test_bodies_have_a_limit_that_makes_sense(size: str) -> None:
    ended = CliRunner().invoke(main, ["--print-config", "--max-http-body-bytes", size])
    assert ended.exit_code == 2
    assert "is not in the range 4096<=x<=1073741824" in ended.stderr
