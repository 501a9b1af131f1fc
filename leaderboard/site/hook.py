"""MkDocs' hook: adds the explorer, a page that traces each table to its records, and the records themselves.

They are made while the site is built and never lie in docs/, where GitHub shows Markdown as it is.
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from harness.records.record import Store
from leaderboard import audit, text
from leaderboard.cite import FORMATS, METADATA, citation
from leaderboard.links import FOLDER as MANUAL
from leaderboard.pages.pages import VARIED_PAGE
from leaderboard.places import FOLDER
from leaderboard.publish import FINDINGS, PUBLISHED
from leaderboard.site import examples, findings, html
from leaderboard.site.rows import page_of, rows
from leaderboard.site.traced import traced
from leaderboard.tables.answers import gold_of
from leaderboard.tables.group import Group, groups

HERE = Path(__file__).parent
ASSETS = ("site.css", "explore.css", "fold.js", "explore.js", "iframe-worker.js")
EXPLORE = "explore.md"
CITED = ("README.md", "leaderboard.md", "claims.md", "findings.md", "ablations.md")
MENU_PLACE = 5  # after the pages about all models
INTRODUCTION = """\
---
hide: [navigation, toc]
---

# Every result

Each line is one method in one column of the [leaderboard](leaderboard.md), which says how to read the numbers. A click
on a heading sorts; a click on a method says [what it does](methods/README.md); a click on a score shows the records
behind the line, their command and their commit. One table is shown at first; choose another above it. Lines of
different models, suites, protocols or settings may not be compared, so of several tables each stands by itself. What is
chosen stands in the address: copy it to share what you see.

<noscript><p>Without JavaScript nothing sorts or is chosen here: all lines stand below, one table after the other. The
tables of each model are on <a href="leaderboard.html">the leaderboard</a>.</p></noscript>

Take every row along: [CSV](leaderboard/rows.csv) · [JSON](leaderboard/rows.json) · [Cite](cite.md)
"""
CITE = "cite.md"
CITATION = """\
# Cite

Name the commit too: `git rev-parse HEAD`. Of a single score, its record page has the commit that made it. A heading's ¶
is its address, to share.

```bibtex
{bibtex}```

```yaml
{cff}```
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """A fresh look at the records at every build, also while `mkdocs serve` runs; generated pages into the menu."""
    _loaded.cache_clear()
    _groups.cache_clear()
    config.nav = [part for part in config.nav or [] if not {"Models", "Methods", "Ablations"} & set(part)]
    for title, folder in (("Methods", MANUAL), ("Models", FOLDER)):
        own = sorted(
            (Path(config.docs_dir) / folder).glob("*.md")
        )  # README.md first: capitals are before small letters
        config.nav.insert(MENU_PLACE, {title: [f"{folder}/{path.name}" for path in own]})
    if (Path(config.docs_dir) / VARIED_PAGE).exists():
        config.nav.insert(MENU_PLACE, {"Ablations": VARIED_PAGE.as_posix()})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add everything that is not in docs/."""
    for name in ASSETS:
        files.append(File.generated(config, f"assets/{name}", abs_src_path=str(HERE / name)))
    files.append(File.generated(config, EXPLORE, content=INTRODUCTION))
    source = _root(config) if (_root(config) / METADATA).is_file() else HERE.parents[1]
    told = {form: citation(source, form) for form in FORMATS}
    files.append(File.generated(config, CITE, content=CITATION.format(**told)))
    for path, shown in examples.pages(_root(config)).items():
        files.append(File.generated(config, path, content=shown))
    store = Store(_root(config) / PUBLISHED)
    for group in _groups(store.root):
        key = group.key
        title = f"# {text.escaped(key.model)}: {text.escaped(group.heading)}\n\n[All results](../{EXPLORE})\n"
        files.append(File.generated(config, f"runs/{page_of(group)}.md", content=title))
    for cell, place in _loaded(store.root).places.items():
        path = f"records/{cell.as_posix()}"
        files.append(File.generated(config, path, abs_src_path=str(store.root / place)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A title of plain words: the theme would write a heading's entities as characters into the page's head. Links to
    examples lead to their pages."""
    if page.file.src_uri.startswith((f"{FOLDER}/", "runs/")):
        heading = unescape(markdown.partition("\n")[0].removeprefix("# "))
        page.meta.setdefault("title", re.sub(r"[<>&\"'{}]", " ", heading))
        markdown += f"\n\n[Cite](../{CITE})\n"
    elif page.file.src_uri in CITED:
        markdown += f"\n\n[Cite]({CITE})\n"
    if page.file.src_uri == FINDINGS.name:
        markdown = findings.traced(markdown, _groups(_root(config) / PUBLISHED))
    return examples.linked(markdown, examples.pages(_root(config))) if "](../examples/" in markdown else markdown


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the tables in where the page's words end: as HTML, which Markdown needs not read again."""
    content = html.lazy(html.scrolled(content))
    found = _groups(_root(config) / PUBLISHED)
    if page.file.src_uri == EXPLORE:
        return content + html.explorer([row for group in found for row in rows(group)])
    pages = {f"runs/{page_of(group)}.md": group for group in found}
    group = pages.get(page.file.src_uri)
    return content if group is None else content + traced(list(rows(group)))


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path or ".").resolve().parent


@cache
def _loaded(root: Path) -> audit.Loaded:
    return audit.load(Store(root))


@cache
def _groups(root: Path) -> list[Group]:
    return groups(_loaded(root).records, gold_of(Store(root)))
