"""What is an address, what is none and why, and which are on this machine."""

import itertools
from typing import Any

import pytest

from mlpserve import Client
from mlpserve.connection.address import check_address, is_local, needs_no_proxy

ADDRESSES = [
    *("localhost:50051", "127.0.0.1:1", "0.0.0.0:65535", "classifier:50051", "my_service:80"),
    *("a-b.example.com:443", "example.com.:443", "[::1]:50051", "[fe80::1%eth0]:50051", "h:00080"),
    *("[::ffff:10.0.0.1]:1", "xn--bcher-kva.example:1", "Server1:50051", "1st:1"),
    *("dns:classifier:50051", "dns:///classifier:50051", "dns://8.8.8.8/classifier:50051"),
    *("dns:///[::1]:50051", "dns://[2001:db8::1]:53/classifier:1", "DNS:///classifier:1"),
    *("ipv4:10.0.0.1:50051", "ipv4:10.0.0.1:1,10.0.0.2:1", "ipv6:[::1]:1,[::2]:1"),
    *("unix:/run/mlpserve.sock", "unix:relative", "unix:///run/mlpserve.sock", "unix:/with space"),
    *("unix-abstract:mlpserve", "xds:///classifier", "xds://authority/classifier"),
]

FAULTS = {
    "is a URL; give HOST:PORT": [
        *("http://localhost:50051", "https://localhost:50051", "HTTP://h:1", "grpc://h:1"),
        *("http://", "ftp://h", "tcp://h:1", "http://h:1/path", "passthrough:///h:1", "a+b://h"),
        *("//localhost:50051", "http:/h:1", "https:h:1", "http:\\\\h:1", "grpc:h:1"),
    ],
    "is a URL of a file; give HOST:PORT, or unix:PATH": ["file:///run/mlpserve.sock"],
    "is a path; give HOST:PORT, or unix:/": ["/run/mlpserve.sock", "./socket", "~/socket"],
    "has no port; give HOST:PORT, such as": [
        *("localhost", "localhost:", "10.0.0.1", "[::1]", "[::1]:", "dns:///classifier"),
        *("ipv4:10.0.0.1", "classifier.example", "dns:classifier"),
    ],
    "has a port and no host": ["50051", "dns:///50051"],
    "has no host; give HOST:PORT, such as localhost:": [":50051", ":", "dns:///:1", "ipv4::1"],
    "where no server can be called; give one from 1 to 65535": [
        *("localhost:99999", "localhost:65536", "localhost:0", "[::1]:0", "localhost:000"),
        *("dns:///h:70000", "ipv4:10.0.0.1:1,10.0.0.2:0", "localhost:" + "9" * 5000),
    ],
    "give a number from 1 to 65535": [
        *("localhost:http", "localhost:-1", "localhost:+1", "localhost:1.5", "localhost:\u0663"),
        *("localhost:0x10", "[::1]:a", "localhost:1e3"),
    ],
    "is empty; wanted HOST:PORT": ["", " ", "\n\t"],
    "has a space or a line end in it": [
        *("localhost:50051\n", " localhost:50051", "two words:1", "localhost: 1", "h\u00a0:1"),
        *("localhost:1\x1b[2J", "h\0:1", "dns:///h :1"),
    ],
    "at its end; give": ["localhost:50051/", "localhost:1/v1", "h:1?x", "h:1#x", "[::1]:1/v1"],
    "is an IPv6 address without brackets": ["::1", "::1:50051", "fe80::1", "2001:db8::2:50051"],
    "has a bracket without an IPv6 address": ["[::1", "[localhost]:1", "[]:1", "["],
    "after the bracket": ["[::1]50051", "[::1]]:1"],
    "is not an IPv6 address": ["[:::1]:1", "[g::1]:1", "ipv6:localhost:1", "ipv6:10.0.0.1:1"],
    "is not an IPv4 address": ["256.0.0.1:1", "127.1:1", "1.2.3.4.5:1", "ipv4:localhost:1", "..:1"],
    "has more than one port": ["localhost:1:2", "a:b:c"],
    "has several targets": ["a:1,b:1", "localhost:1,", "dns:///a:1,b:1"],
    "has a user in it": ["user@h:1", "user:secret@h:1"],
    "and a name has letters, digits": ["b\u00fccher.example:1", "h%41:1", "a*b:1", "a=b:1"],
    "has no path": ["unix:", "unix://", "unix-abstract:"],
    "has two slashes": ["unix://run/socket", "dns://localhost:1"],
    "give a shorter one": ["unix:/" + "x" * 107, "unix-abstract:" + "\u00fc" * 60],
}
CASES = list(itertools.chain(*([(words, one) for one in FAULTS[words]] for words in FAULTS)))


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_an_address(address: str) -> None:
    assert check_address(address) == address
    Client(address).close()


@pytest.mark.parametrize(("words", "address"), CASES, ids=lambda value: f"{value!a:.30}")
def test_what_is_none_is_refused_with_the_remedy(words: str, address: str) -> None:
    with pytest.raises(ValueError, match=r"^address ") as caught:
        Client(address)
    message = str(caught.value)
    assert words in message
    assert message.isprintable()
    assert len(message) < 400
    assert "secret" not in message


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://localhost:50051", "such as localhost:50051"),
        ("http://10.0.0.1", "such as 10.0.0.1:50051"),
        ("https://[::1]:8443/v1", "such as [::1]:8443, and turn TLS on with tls=mlpserve.Tls()"),
        ("https://user:secret@host:1?a=b", "such as host:1, and turn TLS on"),
        ("http://", "such as localhost:50051"),
        ("grpcs://host:0", "such as localhost:50051, and turn TLS on"),
    ],
)
def test_a_url_is_told_the_address_in_it(url: str, remedy: str) -> None:
    with pytest.raises(
        ValueError, match="is a URL; give HOST:PORT of the server's --grpc"
    ) as caught:
        Client(url, token="0123456789abcdef")
    assert remedy in str(caught.value)
    assert "secret" not in str(caught.value)
    if not url.startswith("http:"):
        return
    assert "TLS" not in str(caught.value)


@pytest.mark.parametrize("address", [None, 50051, b"localhost:50051", ["localhost:50051"]])
def test_what_is_no_text(address: Any) -> None:
    with pytest.raises(TypeError, match=r"^address is .*; give HOST:PORT as text, such as local"):
        Client(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *(
            (address, True)
            for address in ("0.0.0.0:1", "[::]:1", "a.b.localhost:1", "localhost.:1")
        ),
        *((address, True) for address in ("ipv4:10.0.0.1:1,127.0.0.1:1", "ipv6:[::1]:1")),
        *((address, False) for address in ("10.0.0.1:1", "notlocalhost:1", "localhost.example:1")),
        *((address, False) for address in ("dns://8.8.8.8/localhost:1", "xds:///localhost")),
    ],
)
def test_where_no_proxy_is_asked(address: str, expected: bool) -> None:
    assert needs_no_proxy(address) == expected


def test_what_is_local_needs_no_proxy() -> None:
    for address in ADDRESSES:
        assert needs_no_proxy(address) or not is_local(address)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("localhost:50051", True),
        ("localhost", True),
        ("127.0.0.1:50051", True),
        ("127.8.9.10:1", True),
        ("[::1]:50051", True),
        ("::1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", True),
        ("ipv6:[::1]:50051", True),
        ("dns:localhost:50051", True),
        ("dns:///localhost:50051", True),
        ("unix:/run/mlpserve.sock", True),
        ("unix:///run/mlpserve.sock", True),
        ("unix-abstract:mlpserve", True),
        ("0.0.0.0:50051", False),
        ("[::2]:50051", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("dns:///localhost.example:50051", False),
        ("dns://1.1.1.1/localhost:50051", False),
        ("xds:///localhost", False),
        ("xds:localhost", False),
        ("", False),
        ("ipv4:///127.0.0.1:50051", True),
        ("DNS:///localhost:50051", True),
        ("[::ffff:127.0.0.1]:50051", True),
        ("[::ffff:10.0.0.1]:50051", False),
        ("name.localhost:50051", False),
        ("[::]:50051", False),
        ("unixy:50051", False),
    ],
)
def test_what_is_on_this_machine(address: str, local: bool) -> None:
    assert is_local(address) == local
