"""How pages are read, and how the calls that take blocks are found."""

import ast
from pathlib import Path

import pytest

from tests.documents import pages, takes

PAGE = """# Top

```sh
# no heading
one
```

## Below

- An item:

  ```python
  if two:
      three()
  ```

# Next

```text
four
```
"""


def take(source: str) -> takes.Take:
    (found,) = takes.takes_in(Path(__file__), ast.parse(source))
    return found


def test_a_block_is_read_with_where_it_is() -> None:
    assert pages.read("page.md", PAGE) == [
        pages.Block("page.md", ("Top",), 3, "sh", "# no heading\none\n"),
        pages.Block("page.md", ("Top", "Below"), 12, "python", "if two:\n    three()\n"),
        pages.Block("page.md", ("Next",), 19, "text", "four\n"),
    ]


def test_a_block_without_an_end_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"^page\.md: a block has no end"):
        pages.read("page.md", "```sh\none\n")


@pytest.mark.parametrize(
    "source",
    [
        'pages.block("docs/bench.md", "bench compare").text',
        'PAGE = "docs/bench.md"\nused = pages.block(PAGE, "bench compare")',
        'pages.blocks("docs/bench.md", section="Before and after")[0]',
        'run(pages.blocks("docs/bench.md", "sh", "Before and after"))',
    ],
)
def test_a_call_takes_what_it_returns(source: str) -> None:
    (block,) = take(source).blocks()
    assert "bench compare before.json after.json\n" in block.text


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ('x = pages.block("docs/bench.md", "mlpserve")', "blocks with 'mlpserve', wanted one"),
        ('x = pages.block("docs/bench.md", "no such")', "has 0 blocks with 'no such', wanted one"),
        ('x = pages.blocks("docs/bench.md", "python")', "has no such block: python, anywhere"),
        ('x = pages.blocks("docs/bench.md", section="?")', "has no such block: program, ?"),
        ("x = pages.block(page, part)", "wanted texts, or names of the file for texts"),
    ],
)
def test_a_call_that_takes_nothing_or_too_much_fails(source: str, error: str) -> None:
    with pytest.raises(AssertionError) as raised:
        take(source).blocks()
    assert error in str(raised.value)


def test_what_is_taken_is_used() -> None:
    with pytest.raises(AssertionError, match="runs nothing of what it takes"):
        take('pages.blocks("docs/bench.md")')
