"""Makes ports of this network reachable as sockets in a folder: `forward.py FOLDER PORT...`.

A network namespace has ports of its own, while a socket in a folder is reached from all of them.
"""

import asyncio
import contextlib
import functools
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path

CHUNK_BYTES = 65536


async def main(folder: Path, ports: list[int]) -> None:
    """Forward until killed; PORT.sock in the folder is port PORT of the loopback."""
    for port in ports:
        await asyncio.start_unix_server(functools.partial(_forward, port), folder / f"{port}.sock")
    print("forwarding", flush=True)
    await asyncio.Event().wait()


async def _forward(port: int, reader: StreamReader, writer: StreamWriter) -> None:
    try:
        there, back = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    target.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
