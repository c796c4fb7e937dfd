"""Finds which blocks of the pages tests take: the calls of `pages.block` and `pages.blocks`."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.server_process import ROOT
from tests.documents import pages

CALLS: dict[str, Callable[..., pages.Block | list[pages.Block]]] = {
    "block": pages.block,
    "blocks": pages.blocks,
}


@dataclass(frozen=True, slots=True)
class Take:
    """A call that takes blocks, and where it is."""

    file: Path
    line: int
    call: ast.Call
    constants: dict[str, object]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {ast.unparse(self.call)}"

    def blocks(self) -> list[pages.Block]:
        """Return what it takes; fails if that is nothing, or is not to be read from the call."""
        try:
            arguments = [self.value_of(argument) for argument in self.call.args]
            named = {one.arg or "": self.value_of(one.value) for one in self.call.keywords}
        except ValueError:
            raise AssertionError(f"{self}: wanted texts, or names of the file for texts") from None
        found = CALLS[name_of(self.call)](*arguments, **named)
        return [found] if isinstance(found, pages.Block) else found

    def value_of(self, argument: ast.expr) -> object:
        """Return what an argument is; raises ValueError if only a run of the test can tell."""
        if isinstance(argument, ast.Name) and argument.id in self.constants:
            return self.constants[argument.id]
        return ast.literal_eval(argument)


def name_of(node: ast.AST) -> str:
    """Return which function of pages a node calls, or nothing."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "pages" and node.func.attr in CALLS:
            return node.func.attr
    return ""


def constants_of(tree: ast.Module) -> dict[str, object]:
    """Return the texts that a file has names for."""
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def takes_in(file: Path, tree: ast.Module) -> Iterator[Take]:
    """Return the calls of a file; fails if one throws away what it takes."""
    constants = constants_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and name_of(node.value):
            raise AssertionError(f"{file}:{node.lineno}: runs nothing of what it takes")
        if isinstance(node, ast.Call) and name_of(node):
            yield Take(file, node.lineno, node, constants)


def takes() -> list[Take]:
    """Return every call in the tests."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    texts = {file: file.read_text() for file in files}
    return [
        take
        for file, source in texts.items()
        if "pages.block" in source
        for take in takes_in(file, ast.parse(source))
    ]
