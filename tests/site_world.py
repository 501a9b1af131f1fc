"""A site built from records of its own, and a browser without a window: for tests that see pages as readers do."""

from __future__ import annotations

import contextlib
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.records.record import RunRecord, Store
from leaderboard.__main__ import main
from leaderboard.publish import PUBLISHED
from tests.test_leaderboard_publish import answered
from tests.test_leaderboard_table import record

ROOT = Path(__file__).parent.parent
EVIL = 'a|b <script>document.title="pwned"</script> [x](javascript:alert(1)) "quoted" <img src=x onerror=alert(2)>'
EVIL_MODEL = 'x</title><script>document.title="pwned"</script>{{ config }}'
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


def published(root: Path) -> list[RunRecord]:
    """Records of several models; one method has predictions, one has a hostile name, one a gap."""
    store = Store(root / PUBLISHED)
    told = {"command": f"pytest suites/ {EVIL}", "commit": "0123456789abcdef"}
    made = [
        *(record("simple", s, 0.4 + s / 100, model="small-gpt2", environment=told) for s in (1, 2)),
        *(record("ties", s, 0.5 + s / 100, model="small-gpt2", cost={"merge_seconds": 12.5}) for s in (1, 2)),
        *(record("ensemble", s, 0.45 + s / 100, model="small-gpt2") for s in (1, 2)),
        record("regmean", 1, 0.9, model="small-gpt2"),
        record(EVIL, 1, 0.3),
        record("ties_cma", 1, 0.3, model="searched-gpt2"),
        *(swept(alpha, seed, 0.3 + alpha / 10 + seed / 100) for alpha in (0.1, 0.5, 0.9) for seed in (1, 2)),
        record("ties", 1, 0.3, model=EVIL_MODEL, protocol={"name": EVIL_MODEL}),
    ]
    for one in made:
        store.put(one)
    answered(store)
    return made


def swept(alpha: float, seed: int, score: float) -> RunRecord:
    """A point of an ablation: `regmean` at one alpha, with its own words."""
    method = {"name": "regmean", "version": 1, "knobs": {"alpha": alpha}}
    return record("regmean", seed, score, model="swept-gpt2", knobs={"alpha": alpha}, recipe={"method": method})


def build(root: Path) -> None:
    """Records, pages and the built site, under this checkout's settings."""
    (root / "docs").mkdir(parents=True)
    published(root)
    hook = "leaderboard/site/hook.py"  # is named relative to the settings
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").replace(hook, str(ROOT / hook))
    (root / "mkdocs.yml").write_text(settings, encoding="utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        shutil.copy(path, root / "docs")
    shutil.copytree(ROOT / "examples", root / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "docs" / "findings.md").write_text("# Findings\n", encoding="utf-8")  # its sentences are of other records
    assert main(["--root", str(root), "publish", "--results", str(PUBLISHED)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        assert main(["--root", str(root), "site", "--out", str(root / "built")]) == 0


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the folder is served."""
    handler = functools.partial(Silent, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def headless() -> Iterator[Any]:
    """Chromium without a window; the test is skipped where it or its driver is not installed."""
    selenium = pytest.importorskip("selenium.webdriver", reason="the browser is driven by selenium")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.skip("no Chromium with chromedriver on this machine")
    options = selenium.ChromeOptions()
    options.binary_location = found
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield running
    running.quit()
