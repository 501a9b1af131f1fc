"""The examples that documents lead to, as pages of the site: the files lie outside docs/, where no site shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = "examples"
LINK = re.compile(r"\]\(\.\./(examples/[A-Za-z0-9._/-]+)\)")
WHOLE = re.compile(r"\[([^\[\]]*)" + LINK.pattern)
KINDS = {".py": "python", ".toml": "toml", ".md": "markdown"}  # what is shown, and in which language


def pages(root: Path) -> dict[str, str]:
    """Markdown of each example that a document of the checkout names, by the page's path below docs/."""
    named = {name for path in (root / "docs").glob("*.md") for name in LINK.findall(path.read_text(encoding="utf-8"))}
    return {f"{name}.md": text for name in sorted(named) if (text := "\n".join(_page(root, name)))}


def linked(markdown: str, known: dict[str, str]) -> str:
    """The same document with links to these pages; a name of what is not there is no link."""

    def place(found: re.Match[str]) -> str:
        page = f"{found[2]}.md"
        return f"[{found[1]}]({page})" if page in known else found[1]

    return WHOLE.sub(place, markdown)


def _page(root: Path, name: str) -> Iterator[str]:
    """Each file of the example under its name; nothing where there is none."""
    place = root / name
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.suffix in KINDS)
    if not files:
        return
    yield f"# {name}\n"
    for path in files:
        text = path.read_text(encoding="utf-8").rstrip("\n")
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        yield from [] if path is place else [f"## {path.relative_to(place).as_posix()}\n"]
        yield f"{fence}{KINDS.get(path.suffix, 'text')}\n{text}\n{fence}\n"
