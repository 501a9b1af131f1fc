"""Names as a card may show them: whatever somebody called a model, it neither breaks the page nor runs in it."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"[&<>|`\[\]\\*~$]")  # what HTML or Markdown could mean something by


def shown(name: str) -> str:
    """One line; signs that are not printed, such as those that turn the direction of writing, are left out."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)
