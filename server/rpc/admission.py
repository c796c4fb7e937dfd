"""Which calls need a token, and of which file."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from server.errors import Unauthenticated
from server.files.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Access:
    """Lets calls pass: those of the service `admin` with one of `admin_tokens`, others with one of
    `tokens`, those of the `open_services` with none. Where there are no tokens, none are needed.
    """

    tokens: Tokens | None
    admin: str
    admin_tokens: Tokens | None
    open_services: Collection[str]

    def guard(
        self, path: str
    ) -> Callable[[Iterable[tuple[str, str | bytes]]], Unauthenticated | None] | None:
        """Return what finds fault with the metadata of a method's calls; None when nothing can."""
        tokens = self._tokens_of(path)
        return None if tokens is None else tokens.refusal

    def refusal(
        self, path: str, metadata: Iterable[tuple[str, str | bytes]]
    ) -> Unauthenticated | None:
        """Return why a call of the method at a path, /SERVICE/METHOD, can't pass; None when it
        can.
        """
        tokens = self._tokens_of(path)
        return None if tokens is None else tokens.refusal(metadata)

    def _tokens_of(self, path: str) -> Tokens | None:
        service = path[1 : path.rindex("/")]
        if service in self.open_services:
            return None
        return self.admin_tokens if service == self.admin else self.tokens
