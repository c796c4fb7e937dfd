"""Bytes that are messages, or almost: what encoders write, and what none of them does."""

import struct
from collections.abc import Sequence
from random import Random

from mlpserve.protocol import wire

ODD_INTEGERS = (0, 1, 2, 127, 128, 255, 256, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1)
ODD_NUMBERS = (0, 1, 8, 9, 15, 16, 2047, 2**29 - 1, 2**29)
SURPLUS = (*[0] * 30, 1, 2, 3, 4, 5)


def varint(value: int, surplus: int = 0) -> bytes:
    """A number, with bytes that it doesn't need."""
    encoded = wire.encode_varint(value % 2**64)
    if not surplus:
        return encoded
    return encoded[:-1] + bytes([encoded[-1] | 0x80]) + b"\x80" * (surplus - 1) + b"\x00"


def with_tag(number: int, wire_type: int, content: bytes, surplus: int = 0) -> bytes:
    """A field whose content is encoded already."""
    return varint(number << 3 | wire_type, surplus) + content


def delimited(number: int, content: bytes, surplus: int = 0) -> bytes:
    """A field with a size before its content; the size may have bytes that it doesn't need."""
    return with_tag(number, 2, varint(len(content), surplus) + content)


def integer(number: int, value: int) -> bytes:
    """A field of some integer."""
    return with_tag(number, 0, varint(value))


class Encoder:
    """Writes fields by chance, most of which some encoder might have written."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def is_rare(self) -> bool:
        """Whether to do what is seldom done."""
        return self.random.random() < 0.02

    def number(self) -> int:
        """An integer, often one in which errors show."""
        pick = self.random.random()
        if pick < 0.3:
            return self.random.choice(ODD_INTEGERS)
        return self.random.getrandbits(8 if pick < 0.8 else 64)

    def varint(self) -> bytes:
        """An integer, now and then with more bytes than it needs, or than there may be."""
        number = self.number()
        surplus = self.random.choice((0, 0, 0, 0, 1, 2, 3, 9))
        fitting = min(surplus, 10 - len(varint(number)))
        return varint(number, surplus if self.random.random() < 0.005 else fitting)

    def floats(self, number: int) -> bytes:
        """A repeated float field in any form, now and then with a byte too many."""
        form, fields = self.random.randrange(3), []
        for _ in range(self.random.choice((0, 1, 1, 2, 3, 20, 50))):
            if form == 0 or (form == 2 and self.random.random() < 0.9):
                fields.append(with_tag(number, 5, self.random.randbytes(4)))
            else:
                content = struct.pack("<f", self.random.random()) * self.random.randrange(4)
                fields.append(delimited(number, content + b"\x00" * (self.random.random() < 0.01)))
        return b"".join(fields)

    def integers(self, number: int, is_small: bool = False) -> bytes:
        """A repeated integer field in any form."""
        form, fields = self.random.randrange(3), []
        for _ in range(self.random.choice((0, 1, 1, 2, 3, 20, 50))):
            numbers = [
                varint(self.random.randrange(256)) if is_small else self.varint()
                for _ in range(self.random.randrange(1, 4))
            ]
            if form == 0 or (form == 2 and self.random.random() < 0.9):
                fields.append(with_tag(number, 0, numbers[0]))
            else:
                surplus = self.random.choice(SURPLUS)
                fields.append(delimited(number, b"".join(numbers), surplus))
        return b"".join(fields)

    def text(self, number: int, *good: str) -> bytes:
        """A string field, mostly with a good value, now and then with one that is not UTF-8."""
        if self.is_rare():
            return delimited(number, self.random.randbytes(self.random.randrange(4)))
        return delimited(number, self.random.choice(good).encode())

    def odd(self, known: int, depth: int = 0) -> bytes:
        """A field of any number, of those known more often, and of any type; or a group of such."""
        number = self.random.choice((*range(1, known + 1), *ODD_NUMBERS))
        surplus = self.random.choice(SURPLUS)
        match self.random.randrange(6 if depth < 3 else 5):
            case 0:
                return with_tag(number, 0, self.varint(), surplus)
            case 1:
                return with_tag(number, 1, bytes(8), surplus)
            case 2:
                return with_tag(number, 5, bytes(4))
            case 3:
                content = self.random.randbytes(self.random.randrange(9))
                return delimited(number, content, surplus)
            case 4:
                # Mostly no field at all.
                if not self.is_rare():
                    return b""
                return with_tag(number, self.random.randrange(8), self.random.randbytes(3))
            case _:
                fields = [self.odd(known, depth + 1) for _ in range(self.random.randrange(3))]
                end = number + self.is_rare()
                return with_tag(number, 3, b"".join(fields)) + with_tag(end, 4, b"")

    def some(self, *fields: bytes) -> bytes:
        """Some of the fields, in some order, now and then with odd ones among them."""
        kept = [field for field in fields if self.random.random() < 0.6]
        self.random.shuffle(kept)
        return b"".join(kept)

    def mixed(self, fields: Sequence[bytes], known: int) -> bytes:
        """The fields, now and then with an odd one among them."""
        mixed = list(fields)
        if self.random.random() < 0.4:
            mixed.insert(self.random.randrange(len(mixed) + 1), self.odd(known))
        return b"".join(mixed)

    def damaged(self, message: bytes) -> bytes:
        """The message as it is, or, now and then, cut off or with a byte changed."""
        place = self.random.randrange(len(message) + 1)
        pick = self.random.random()
        if pick < 0.8:
            return message
        if pick < 0.9:
            return message[:place]
        return message[:place] + self.random.randbytes(1) + message[place + 1 :]
