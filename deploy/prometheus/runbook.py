"""The runbook as a page of HTML, which Prometheus serves itself: it runs when an alert fires."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_ROOT = Path(__file__).resolve().parent.parent.parent
RUNBOOK = _ROOT / "docs" / "runbook.md"
PAGE = _ROOT / "deploy" / "prometheus" / "user" / "runbook.html"
"""Prometheus serves the files of this folder below /user, with --web.user-assets."""

_HEAD = """\
<!doctype html>
<!-- docs/runbook.md, written by `python -m deploy.prometheus`. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mlpserve: runbook</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid; border-radius: 4px; }
h2 { margin-top: 2.5rem; scroll-margin-top: 1rem; }
:target { text-decoration: underline; }
</style>
</head>
<body>
"""


def render() -> str:
    """Return the page, in which each alert's section has its name in lower case as its anchor."""
    markdown = MarkdownIt("commonmark")
    tokens = markdown.parse(RUNBOOK.read_text())
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", content.content.lower())
        if opening.type == "inline":
            opening.children = list(_within_the_page(opening.children or []))
    return f"{_HEAD}{markdown.renderer.render(tokens, markdown.options, {})}</body>\n</html>\n"


def _within_the_page(tokens: list[Token]) -> Iterator[Token]:
    """Leave out links to files of the repository, which Prometheus does not serve."""
    is_link_left_out = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            is_link_left_out = not target.startswith(("#", "http://", "https://"))
        if not (is_link_left_out and token.type in ("link_open", "link_close")):
            yield token
