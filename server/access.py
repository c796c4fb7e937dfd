"""Which calls need a token, and of which file."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from server.errors import Unauthenticated
from server.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Access:
    """Lets calls pass: those of the service `admin` with one of `admin_tokens`, others with one of
    `tokens`, those of the `open_services` with none. Where there are no tokens, none are needed.
    """

    tokens: Tokens | None
    admin: str
    admin_tokens: Tokens | None
    open_services: Collection[str]

    def refusal(
        self, path: str, metadata: Iterable[tuple[str, str | bytes]]
    ) -> Unauthenticated | None:
        """Return why a call of the method at a path, /SERVICE/METHOD, can't pass; None when it
        can.
        """
        service = path[1 : path.rindex("/")]
        tokens = self.admin_tokens if service == self.admin else self.tokens
        if tokens is None or service in self.open_services:
            return None
        return tokens.refusal(metadata)
