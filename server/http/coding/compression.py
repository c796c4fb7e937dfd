"""Answers compressed for those who accept that, which is worth it above a small size."""

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.aside import aside
from server.http.coding.decoding import GZIP, ZLIB

MIN_BYTES = 1400
"""About what one packet holds, so that fewer bytes would arrive no sooner."""

LEVEL = 1
"""Numbers hardly get smaller at higher levels, which take several times as long."""

CODINGS = {"gzip": GZIP, "deflate": ZLIB}


class Compressed:
    """An application whose answers are compressed if they are sent in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        coding = "" if scope["method"] == "HEAD" else chosen(Headers(scope=scope))
        start: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                begun, start = start, None
                if coding and not message.get("more_body", False):
                    message = await _compress(begun, message, coding)
                await send(begun)
            await send(message)

        await self._app(scope, receive, send_compressed)


def chosen(headers: Headers) -> str:
    """Return the coding that a request likes best, by RFC 9110, section 12.5.3; empty for none."""
    qualities: dict[str, float] = {}
    for part in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter.removeprefix("q="))
                except ValueError:
                    quality = 0.0
        qualities[name] = quality
    others = qualities.get("*", 0.0)
    best = max(CODINGS, key=lambda coding: qualities.get(coding, others))
    return best if qualities.get(best, others) > 0 else ""


async def _compress(start: Message, message: Message, coding: str) -> Message:
    """Return the body compressed, and change the headers for it; if it is worth it."""
    body = message.get("body", b"")
    headers = MutableHeaders(raw=start["headers"])
    if len(body) < MIN_BYTES or start["status"] != 200 or "content-encoding" in headers:
        return message
    headers.add_vary_header("Accept-Encoding")
    packed = await aside(len(body), _pack, body, CODINGS[coding])
    if len(packed) >= len(body):
        return message
    headers["content-encoding"] = coding
    headers["content-length"] = str(len(packed))
    # It names the content, no longer its bytes.
    if (tag := headers.get("etag", "")).startswith('"'):
        headers["etag"] = f"W/{tag}"
    start["headers"] = headers.raw
    return {**message, "body": packed}


def _pack(body: bytes, window: int) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=window)
    return packer.compress(body) + packer.flush()
