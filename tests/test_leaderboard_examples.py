"""Examples as pages of the site, and figures that are fetched when a reader comes near."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaderboard.site.examples import linked, pages
from leaderboard.site.html import lazy

pytest.importorskip("mkdocs")


def test_an_example_that_a_document_names_is_a_page_with_its_files(tmp_path: Path) -> None:
    for name, content in (
        ("mine/README.md", "# Mine\n```bash\nls\n```\n"),
        ("mine/src/a.py", "x = 1\n"),
        ("b.py", "y"),
    ):
        path = tmp_path / "examples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    told = "See [`mine`](../examples/mine), [b](../examples/b.py) and [c](../examples/c.py).\n"
    (tmp_path / "docs" / "usage.md").write_text(told, encoding="utf-8")
    found = pages(tmp_path)
    assert found == {
        "examples/b.py.md": "# examples/b.py\n\n```python\ny\n```\n",
        "examples/mine.md": "# examples/mine\n\n## README.md\n\n````markdown\n# Mine\n```bash\nls\n```\n````\n\n"
        "## src/a.py\n\n```python\nx = 1\n```\n",
    }
    assert linked(told, found) == "See [`mine`](examples/mine.md), [b](examples/b.py.md) and c.\n"


def test_the_first_figure_is_fetched_at_once_and_the_others_when_they_come_near() -> None:
    assert lazy('<p><img src="a"> <img src="b"></p>') == (
        '<p><img src="a"> <img loading="lazy" decoding="async" src="b"></p>'
    )
    assert lazy("<p>none</p>") == "<p>none</p>"
