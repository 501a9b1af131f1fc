"""A part of a page that is closed until a reader asks for it, on GitHub and on the site alike."""

from __future__ import annotations

from collections.abc import Iterable

from leaderboard import text


def folded(summary: str, parts: Iterable[str]) -> str:
    """Markdown under a line that opens it; "" where there is nothing to fold.

    GitHub reads Markdown behind an empty line; the site's Markdown reads it where `markdown` says so.

    Args:
        summary: what a reader opens it for; it is made safe here.
        parts: Markdown, safe already.
    """
    inside = "\n".join(parts).strip("\n")
    if not inside:
        return ""
    head = f'<details markdown="1">\n<summary>{text.escaped(summary)}</summary>'
    return f"{head}\n\n{inside}\n\n</details>\n"
