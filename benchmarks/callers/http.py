"""Calls the HTTP API at a steady rate, with as little of its own work as can be.

It imports nothing of the repository.
"""

import socket
import sys
import time
from pathlib import Path

CONNECTIONS = 4


def main(host: str, port: int, path: str, body: bytes, rate: float, seconds: float) -> None:
    """Print how many calls were answered, and the median and slowest in microseconds."""
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n"
    request = head.encode() + b"content-type: application/json\r\n\r\n" + body
    connections = [socket.create_connection((host, port), 30) for _ in range(CONNECTIONS)]
    taken = []
    begin = time.perf_counter()
    for number in range(round(rate * seconds)):
        due = begin + number / rate
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        connection = connections[number % CONNECTIONS]
        sent = time.perf_counter()
        connection.sendall(request)
        read_answer(connection)
        taken.append(time.perf_counter() - sent)
    taken.sort()
    print(len(taken), taken[len(taken) // 2] * 1e6, taken[len(taken) * 99 // 100] * 1e6)


def read_answer(connection: socket.socket) -> None:
    """Read one answer; raises AssertionError unless it is 200."""
    answer = connection.recv(65536)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    (length,) = (
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    missing = length - len(content)
    while missing > 0:
        missing -= len(connection.recv(missing))


if __name__ == "__main__":
    host, port, path, file, rate, seconds = sys.argv[1:]
    main(host, int(port), path, Path(file).read_bytes(), float(rate), float(seconds))
