"""OpenTelemetry's variables with values that can't be used: one clear line, if there are traces."""

import logging
from pathlib import Path

import pytest

from harness import certificate
from harness.server_process import start_server
from server.errors import StartupError
from server.settings.settings import Settings
from server.telemetry.recording import make_recording

BAD = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("abc", "nan", "inf", "-1", "0", "1e999", "1" * 5000),
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": ("10s",),
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("foo",),
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": ("deflate9",),
    "OTEL_EXPORTER_OTLP_CERTIFICATE": ("/none/ca.pem", "/dev/null", "."),
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": ("/none/ca.pem",),
    "OTEL_BSP_SCHEDULE_DELAY": ("soon", "0", "-5", "1.5", "9" * 30),
    "OTEL_BSP_EXPORT_TIMEOUT": ("x",),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("x", "0", "10", "9" * 30),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("x", "-1"),
    "OTEL_SPAN_EVENT_COUNT_LIMIT": ("x",),
    "OTEL_SPAN_LINK_COUNT_LIMIT": ("x",),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("1.5",),
    "OTEL_RESOURCE_ATTRIBUTES": ("team", "=x", "a=b,c"),
    "OTEL_SERVICE_NAME": ("\udcff",),
}
SECRET = "5ecret"
HEADERS = (SECRET, f"a={SECRET};,", f"a={SECRET}%0ab", f"b c={SECRET}", f"a={SECRET}\u00e9")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in BAD:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts]
)
def test_what_can_not_be_used_is_named(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(StartupError, match=name) as caught:
        make_recording(Settings(otlp_endpoint="https://127.0.0.1:4317"), "1.0")
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    assert "correct or unset it, or leave --otlp-endpoint out" in message
    assert not caplog.records
    # Who sends no traces has nothing to mend.
    make_recording(Settings(), "1.0").stop()


@pytest.mark.parametrize("text", HEADERS)
@pytest.mark.parametrize("signal", ["", "TRACES_"])
def test_headers_are_never_shown(
    text: str, signal: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"OTEL_EXPORTER_OTLP_{signal}HEADERS"
    monkeypatch.setenv(name, text)
    with pytest.raises(StartupError, match=name) as caught:
        make_recording(Settings(otlp_endpoint="http://127.0.0.1:4317"), "1.0")
    assert SECRET not in str(caught.value)
    assert not caplog.records


def test_what_can_be_used_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    its = certificate.make(tmp_path)
    for name, text in {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=abc%20def, X-Other = some text",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(its.certificate_file),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(its.certificate_file),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(its.key_file),
        "OTEL_BSP_MAX_QUEUE_SIZE": "64",
        "OTEL_RESOURCE_ATTRIBUTES": "team=vision,zone=a%2Fb",
        "OTEL_SPAN_LINK_COUNT_LIMIT": "5",
        # As good as unset, says the standard.
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "",
        "OTEL_BSP_SCHEDULE_DELAY": "",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "",
        # Nothing of ours reads these.
        "OTEL_TRACES_SAMPLER": "nonsense",
        "OTEL_PROPAGATORS": "nonsense",
    }.items():
        monkeypatch.setenv(name, text)
    recording = make_recording(Settings(otlp_endpoint="https://127.0.0.1:4317"), "1.0")
    assert recording.tracing is not None
    recording.stop()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    assert make_recording(Settings(otlp_endpoint="https://127.0.0.1:4317"), "1.0").tracing is None


def test_a_server_without_traces_starts(repository: Path) -> None:
    wrong = {name: texts[0] for name, texts in BAD.items()}
    with start_server(repository, **wrong) as server:
        assert {line["event"] for line in server.log} == {"model loaded", "serving"}
