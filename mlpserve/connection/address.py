"""Which gRPC targets a client accepts as its address, and which of them are on this machine."""

import ipaddress
import re

DEFAULT_ADDRESS = "localhost:50051"
GRPC_PORT = "50051"
HTTP_PORTS = ("8080", "80", "443")
"""Where HTTP is to be expected, the server's first."""
MAX_PORT = 65_535
MAX_SOCKET_PATH_BYTES = 107
"""Maximum bytes of a Unix socket's path, without the final zero."""

_UNIX = ("unix", "unix-abstract")
_IP = ("ipv4", "ipv6")
_SCHEMES = {*_UNIX, *_IP, "dns", "xds"}
_TLS_SCHEMES = {"https", "grpcs", "wss"}
_URL = re.compile(r"([^:/\\]*):[/\\]{2}|(https?|grpcs?|tcp|wss?|file):[/\\]*(?=.+:|/)|//")
"""How an address begins that was copied from elsewhere, such as a browser, slashes amiss or not."""

_DNS_SERVER = re.compile(r"//[^/]*/")
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_NUMERIC = re.compile(r"[0-9.]+")
_USER = re.compile(r"^(.*//)?[^/]*@")
_SHOWN = 100


class _Fault(Exception):
    """The words that follow an address in a message: what is wrong with it, and the remedy."""


def check_address(address: object, tls: str = "tls=mlpserve.Tls()") -> str:
    """Return the address: HOST:PORT, or a target of gRPC's schemes dns, ipv4, ipv6, unix,
    unix-abstract or xds.

    Raises TypeError when it is not text, ValueError when no server can be there, with the remedy;
    `tls` is how the caller asks for TLS. Looks up no names.
    """
    if not isinstance(address, str):
        raise TypeError(
            f"address is {address!r:.{_SHOWN}}; give HOST:PORT as text, such as {DEFAULT_ADDRESS}"
        )
    if not address.strip():
        raise ValueError(f"address is empty; wanted HOST:PORT, such as {DEFAULT_ADDRESS}")
    try:
        _check(address, tls)
    except _Fault as fault:
        # A password has no business in a message.
        shown = _USER.sub(r"\1***@", address, count=1)[:_SHOWN]
        raise ValueError(f"address {shown!r} {fault}") from None
    return address


def is_local(address: str) -> bool:
    """Return whether a gRPC target is certainly on this machine."""
    scheme, hosts = _hosts(address)
    return scheme in _UNIX or all(map(_is_loopback, hosts))


def needs_no_proxy(address: str) -> bool:
    """Return whether a proxy, which would take the address for one of its own machine, must not be
    asked: the target, or one of several, is on this machine.
    """
    scheme, hosts = _hosts(address)
    return scheme in _UNIX or any(map(_means_this_machine, hosts))


def may_have_several(address: str) -> bool:
    """Return whether there may be several servers behind a gRPC target: it is a name of another
    machine, or lists addresses.
    """
    scheme, hosts = _hosts(address)
    if scheme in _IP:
        return len(hosts) > 1
    is_name = not (_is_ip(hosts[0], 4) or _is_ip(hosts[0], 6) or _means_this_machine(hosts[0]))
    return scheme in ("", "dns") and is_name


def _check(address: str, tls: str) -> None:
    """Raise _Fault unless gRPC accepts the address."""
    scheme, rest = _split_scheme(address)
    if scheme in _UNIX:
        return _check_socket(scheme, rest)
    if any(character.isspace() or not character.isprintable() for character in address):
        raise _Fault("has a space or a line end in it; give HOST:PORT alone")
    if not scheme and (url := _URL.match(address.lower())):
        name = url[1] or url[2] or ""
        raise _Fault(_explain_url(name.lower(), address[url.end() :], tls))
    if address.startswith(("/", "./", "../", "~/")):
        path = address if address.startswith("/") else "/PATH"
        raise _Fault(f"is a path; give HOST:PORT, or unix:{path} for a socket")
    if scheme == "xds":
        return None
    if scheme == "dns":
        if rest.startswith("//") and not _DNS_SERVER.match(rest):
            raise _Fault(f"has two slashes; give dns:///HOST:PORT, such as dns:///{rest[2:]}")
        rest = _DNS_SERVER.sub("", rest, count=1)
    for endpoint in rest.lstrip("/").split(",") if scheme in _IP else [rest.removeprefix("/")]:
        _check_endpoint(endpoint, scheme)
    return None


def _split_scheme(address: str) -> tuple[str, str]:
    """Return gRPC's scheme and what follows its colon; or no scheme, and the address."""
    name, colon, rest = address.partition(":")
    return (name.lower(), rest) if colon and name.lower() in _SCHEMES else ("", address)


def _check_socket(scheme: str, path: str) -> None:
    if not path.strip("/"):
        raise _Fault(f"has no path; give {scheme}:PATH")
    if path.startswith("//") and not path.startswith("///"):
        raise _Fault(f"has two slashes; give {scheme}:PATH, such as {scheme}:{path[1:]}")
    path = path.removeprefix("//")
    if (size := len(path.encode(errors="surrogateescape"))) > MAX_SOCKET_PATH_BYTES:
        raise _Fault(
            f"has a path of {size} bytes, and a socket's may have {MAX_SOCKET_PATH_BYTES}; "
            "give a shorter one"
        )


def _explain_url(scheme: str, rest: str, tls: str) -> str:
    """Return what is wrong with SCHEME://..., and the address that it may stand for."""
    if scheme == "file":
        return "is a URL of a file; give HOST:PORT, or unix:PATH for a socket"
    host_and_port = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
    suggested, hint = DEFAULT_ADDRESS, ""
    for candidate in (host_and_port, f"{host_and_port}:{GRPC_PORT}"):
        try:
            _check_endpoint(candidate, "")
        except _Fault:
            continue
        suggested = candidate
        break
    host, _, port = suggested.rpartition(":")
    if port in HTTP_PORTS:
        suggested, hint = f"{host}:{GRPC_PORT}", f" ({port} is a usual port of HTTP)"
    remedy = f"is a URL; give HOST:PORT of the server's --grpc-address, such as {suggested}{hint}"
    if scheme in _TLS_SCHEMES:
        remedy += f", and turn TLS on with {tls}"
    return remedy


def _check_endpoint(endpoint: str, scheme: str) -> None:
    """Raise _Fault unless it is HOST:PORT."""
    host, port = _split_endpoint(endpoint)
    if not host:
        raise _Fault(f"has no host; give HOST:PORT, such as localhost:{port or '50051'}")
    if port is None or not port:
        shown = f"[{host}]" if ":" in host else host if _HOST.fullmatch(host) else "localhost"
        if host.isascii() and host.isdigit():
            raise _Fault(f"has a port and no host; give localhost:{host} for this machine")
        raise _Fault(f"has no port; give HOST:PORT, such as {shown}:50051")
    _check_port(port)
    if scheme == "ipv6" or (":" in host and scheme != "ipv4"):
        if not _is_ip(host, 6):
            raise _Fault(f"has the host {host!r}, which is not an IPv6 address")
    elif scheme == "ipv4" or _NUMERIC.fullmatch(host):
        if not _is_ip(host, 4):
            raise _Fault(f"has the host {host!r}, which is not an IPv4 address")
    elif not _HOST.fullmatch(host):
        hint = "" if host.isascii() else "; a name of other letters has a form that begins with xn-"
        raise _Fault(
            f"has the host {host!r}, and a name has letters, digits, dots and hyphens alone{hint}"
        )


def _check_port(port: str) -> None:
    if not (port.isascii() and port.isdigit()):
        raise _Fault(f"has the port {port[:20]!r}; give a number from 1 to {MAX_PORT}")
    number = port.lstrip("0") or "0"
    if len(number) > len(str(MAX_PORT)) or not 1 <= int(number) <= MAX_PORT:
        raise _Fault(
            f"has the port {port:.20}, where no server can be called; give one from 1 to {MAX_PORT}"
        )


def _split_endpoint(endpoint: str) -> tuple[str, str | None]:
    """Return the host, without brackets, and the port if there is a colon; raises _Fault when there
    is more.
    """
    if found := re.search(r"[/?#]", endpoint):
        begin = found.start()
        raise _Fault(f"has {endpoint[begin:]!r} at its end; give {endpoint[:begin] or 'HOST:PORT'}")
    if endpoint.startswith("["):
        host, bracket, after = endpoint[1:].partition("]")
        if not bracket or ":" not in host:
            raise _Fault("has a bracket without an IPv6 address in it; give [ADDRESS]:PORT")
        if after and not after.startswith(":"):
            raise _Fault(f"has {after!r} after the bracket; give [ADDRESS]:PORT alone")
        return host, after[1:] if after else None
    if "," in endpoint:
        raise _Fault("has several targets; give one name, or ipv4:ADDRESS:PORT,ADDRESS:PORT")
    if "@" in endpoint:
        raise _Fault("has a user in it; give HOST:PORT alone, and a token if the server wants one")
    if endpoint.count(":") > 1:
        if _is_ip(endpoint, 6) or _is_ip(endpoint.rpartition(":")[0], 6):
            raise _Fault("is an IPv6 address without brackets; give [ADDRESS]:PORT, like [::1]:1")
        raise _Fault("has more than one port; give HOST:PORT")
    host, colon, port = endpoint.partition(":")
    return host, port if colon else None


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _hosts(address: str) -> tuple[str, list[str]]:
    """Return the scheme of a target, if it has one, and its hosts, of which a DNS server makes
    names that nobody knows.
    """
    scheme, rest = _split_scheme(address)
    if scheme in _IP:
        rest = rest.lstrip("/")
    elif scheme == "dns":
        rest = rest.removeprefix("///").removeprefix("/")
    elif scheme:
        rest = ""
    return scheme, list(map(_host, rest.split(",")))


def _host(target: str) -> str:
    """Return the host of HOST, HOST:PORT, IPV6 or [IPV6]:PORT, in lower case."""
    if target.startswith("["):
        return target[1:].partition("]")[0].lower()
    return (target.partition(":")[0] if target.count(":") == 1 else target).lower()


def _is_loopback(host: str) -> bool:
    try:
        return _unmapped(host).is_loopback
    except ValueError:
        return host == "localhost"


def _means_this_machine(host: str) -> bool:
    try:
        return (ip := _unmapped(host)).is_loopback or ip.is_unspecified
    except ValueError:
        # Names that RFC 6761 reserves for this machine, as c-ares resolves them; a name server may
        # not.
        return f".{host.removesuffix('.')}".endswith(".localhost")


def _unmapped(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an IP address, an IPv4 address in IPv6 as itself; raises ValueError."""
    ip = ipaddress.ip_address(host)
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip
