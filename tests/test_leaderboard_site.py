"""The site in a real browser: sort, filter, follow a row to its record, by mouse and by keyboard, in light and dark."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from leaderboard.site import html
from leaderboard.site.rows import Row, rows
from leaderboard.tables.group import groups
from tests.site_world import EVIL
from tests.test_leaderboard_table import record

pytestmark = pytest.mark.whole


def explore(site: str, browser: Any, chosen: str = "all=1") -> None:
    """Open the explorer anew, until it has drawn; from itself a browser would only change the address."""
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get("about:blank")
    browser.get(f"{site}explore.html{chosen and '#' + chosen}")
    drawn = "const told = document.querySelector('.explore-count'); return Boolean(told && told.textContent)"
    WebDriverWait(browser, 20).until(lambda shown: shown.execute_script(drawn))


def column(browser: Any, number: int) -> list[str]:
    """The texts of a column of the explorer, also where it is hidden since a filter says it."""
    cells = browser.find_elements("css selector", f".explore-rows tbody td:nth-child({number})")
    return [cell.get_attribute("textContent") for cell in cells]


def hidden(browser: Any) -> list[str]:
    """The columns that are not shown."""
    heads = browser.find_elements("css selector", ".explore-rows thead th")
    return [head.get_attribute("textContent") for head in heads if not head.is_displayed()]


def choose(browser: Any, name: str, value: str) -> None:
    """Choose a value of a filter."""
    from selenium.webdriver.support.select import Select

    Select(browser.find_element("css selector", f".explore-filters [name='{name}']")).select_by_visible_text(value)


def test_a_click_sorts_by_number_and_gaps_stay_last(site: str, browser: Any) -> None:
    explore(site, browser, "model=small-gpt2")
    heads = browser.find_elements("css selector", ".explore-rows th button")
    score = next(head for head in heads if head.text == "score")
    score.click()
    ties, other, simple = "51.00 / 52.00", "46.00 / 47.00", "41.00 / 42.00"  # two replicates are shown as they are
    assert column(browser, 2) == [ties, other, simple, "— (1 of 2)"]
    assert score.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    score.click()
    assert column(browser, 2) == [simple, other, ties, "— (1 of 2)"]
    assert score.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"


def test_the_keyboard_does_what_the_mouse_does(site: str, browser: Any) -> None:
    from selenium.webdriver import ActionChains, Keys

    explore(site, browser)
    browser.find_element("css selector", ".explore-filters [name='contains']").click()
    ActionChains(browser).send_keys("ens", Keys.TAB, Keys.TAB, Keys.ENTER).perform()  # the region, the first heading
    assert column(browser, 1) == ["ensemble"]
    assert browser.switch_to.active_element.text.startswith("method")


def test_filters_keep_what_is_asked_for_and_the_address_remembers(site: str, browser: Any) -> None:
    explore(site, browser)
    total = len(column(browser, 1))
    choose(browser, "searched by", "cma")
    assert column(browser, 1) == ["ties_cma"]
    choose(browser, "searched by", "all")
    choose(browser, "model", "small-gpt2")
    assert set(column(browser, 3)) == {"small-gpt2"} and hidden(browser) == ["model"], "the filter says it"
    assert browser.find_element("css selector", ".explore-count").text == f"4 of {total} results"
    choose(browser, "method", "ties")
    assert column(browser, 1) == ["ties"]
    browser.get("about:blank")
    browser.back()
    assert "model=small-gpt2" in browser.current_url and column(browser, 1) == ["ties"]


def test_one_table_is_shown_at_first_and_of_several_each_stands_under_its_name(site: str, browser: Any) -> None:
    explore(site, browser, "")
    assert len(set(zip(column(browser, 3), column(browser, 4), strict=True))) == 1, "one model, one setting"
    assert not browser.find_elements("css selector", ".explore-name")
    assert hidden(browser) == ["model", "setting", "suite", "protocol"]
    head = next(
        h for h in browser.find_elements("css selector", ".explore-rows thead th") if h.get_attribute("aria-sort")
    )
    assert head.get_attribute("textContent") == "score" and head.get_attribute("aria-sort") == "descending"
    other = min({"small-gpt2", "searched-gpt2"} - set(column(browser, 3)))
    choose(browser, "model", other)
    assert set(column(browser, 3)) == {other}, "its own table, though the filters were another's"
    for name in ("model", "suite", "protocol", "setting"):
        choose(browser, name, "all")
    assert browser.current_url.endswith("#sort=score&down=1")
    heads = [head.text for head in browser.find_elements("css selector", ".explore-name")]
    assert len(heads) == len(set(heads)) > 2
    sort = next(h for h in browser.find_elements("css selector", ".explore-rows th button") if h.text == "score")
    sort.click()
    assert sorted(h.text for h in browser.find_elements("css selector", ".explore-name")) == sorted(heads)
    assert column(browser, 3) == sorted(column(browser, 3), key=column(browser, 3).index), "no model between another's"


def seconds_of_work(browser: Any) -> float:
    """The processor time of scripts, styles and layout so far: how busy the machine is does not count."""
    told = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    wanted = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
    return sum(float(metric["value"]) for metric in told if metric["name"] in wanted)


def alone(folder: Path, some: Sequence[Row]) -> str:
    """The address of a page of the explorer alone, with these rows."""
    place, page = Path(html.__file__).with_name("explore.js"), folder / "rows.html"
    head = '<!doctype html><html><head><meta charset="utf-8"></head><body>'
    page.write_text(f'{head}{html.explorer(some)}<script src="{place.as_uri()}"></script></body></html>', "utf-8")
    return page.as_uri()


def rows_of(**scores: float) -> list[Row]:
    """The rows of one table."""
    (group,) = groups([record(method, score=score) for method, score in scores.items()])
    return list(rows(group))


def test_what_merges_are_held_against_stays_together_however_rows_are_sorted(browser: Any, tmp_path: Path) -> None:
    browser.get(alone(tmp_path, rows_of(simple=0.5, ties=0.3, base=0.4, best=0.1, avg=0.6)))
    held, merges = ["mean member", "ancestor", "best member"], ["simple", "ties"]
    assert column(browser, 1) == held + merges, "from the highest score, each of the two by itself"
    sort = next(h for h in browser.find_elements("css selector", ".explore-rows th button") if h.text == "score")
    sort.click()
    assert column(browser, 1) == held[::-1] + merges[::-1]
    browser.get("about:blank")


def test_all_rows_are_shown_to_whom_the_address_is_sent(browser: Any, tmp_path: Path) -> None:
    few = rows_of(simple=0.5, ties=0.3)
    page = alone(tmp_path, [replace(one, method=f"{one.method}{n}") for n in range(40) for one in few])
    browser.get(page)
    assert len(column(browser, 1)) == 50
    browser.find_element("css selector", ".explore-rest").click()
    sent = browser.current_url
    assert len(column(browser, 1)) == 80 and "rows=all" in sent
    browser.get("about:blank")
    browser.get(sent)
    assert len(column(browser, 1)) == 80 and not browser.find_element("css selector", ".explore-rest").is_displayed()
    box = browser.find_element("css selector", ".explore-filters [name='contains']")
    box.send_keys("ties")
    assert len(column(browser, 1)) == 40 and "rows=all" not in browser.current_url, "what is few is all there"
    browser.get("about:blank")


def test_ten_thousand_rows_are_filtered_within_50_ms_a_keystroke(browser: Any, tmp_path: Path) -> None:
    some = rows_of(simple=0.5, ties=0.5, best=0.5)
    many = [replace(one, method=f"{one.method}{n:05}") for n in range(3334) for one in some][:10_000]
    browser.get(alone(tmp_path, many))
    assert browser.find_element("css selector", ".explore-count").text == "10000 of 10000 results"
    assert len(column(browser, 1)) == 50 and browser.find_element("css selector", ".explore-rest").text
    typed = ["t", "ti", "tie", "ties", "ties0", "ties01", "ties012", "ties0", "", "si", "simple"]
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    before = seconds_of_work(browser)
    for word in typed:
        browser.execute_script(
            "const input = document.querySelector('[name=contains]'); input.value = arguments[0];"
            "input.dispatchEvent(new Event('input')); document.body.offsetHeight",  # what is shown is laid out
            word,
        )
    assert (seconds_of_work(browser) - before) / len(typed) < 0.05
    assert browser.find_element("css selector", ".explore-count").text == "3333 of 10000 results"
    browser.get("about:blank")


def test_a_row_leads_to_its_record_command_and_commit(site: str, browser: Any) -> None:
    explore(site, browser)
    choose(browser, "model", "small-gpt2")
    choose(browser, "method", "simple")
    browser.find_element("css selector", ".explore-rows tbody td:nth-child(2) a").click()
    place = browser.current_url.partition("#")[2]
    heading = browser.find_element("id", place)
    assert heading.text == "in-domain: simple"
    rows = browser.find_elements("css selector", f"#{place} + p + .explore-table tbody tr")
    assert [row.text.split()[:3] for row in rows] == [["all", "1", "41.00"], ["all", "2", "42.00"]]
    assert "0123456789ab" in rows[0].text
    link = rows[0].find_element("css selector", "td:last-child a").get_attribute("href")
    command = browser.find_element("id", link.partition("#")[2])
    assert EVIL in command.find_element("xpath", "following-sibling::pre").text
    rows[0].find_element("css selector", "a").click()
    shown = json.loads(browser.find_element("css selector", "pre").text)
    assert (shown["method"], shown["seed"], shown["score"]) == ("simple", 1, 0.41)


def test_a_methods_name_leads_to_its_page_and_a_plug_ins_nowhere(site: str, browser: Any) -> None:
    explore(site, browser, "model=small-gpt2&method=ties")
    browser.find_element("css selector", ".explore-rows tbody td:nth-child(1) a").click()
    assert browser.current_url == f"{site}methods/ties.html"
    browser.get(f"{site}leaderboard/small-gpt2.html")
    names = {a.text: a.get_attribute("href") for a in browser.find_elements("css selector", "td:nth-child(1) a")}
    assert names["simple"] == f"{site}methods/simple.html" and names["regmean"] == f"{site}methods/regmean.html"
    browser.get(f"{site}leaderboard/tiny-encoder.html")
    named = browser.find_elements("css selector", "td:nth-child(1)")
    (hostile,) = {cell.text for cell in named if cell.text.startswith("a|b")}
    assert hostile not in {a.text for a in browser.find_elements("css selector", "td:nth-child(1) a")}


def test_a_link_to_a_place_on_the_page_keeps_the_filters(site: str, browser: Any) -> None:
    explore(site, browser, "method=ties&model=small-gpt2")
    assert column(browser, 1) == ["ties"]
    browser.execute_script("location.hash = '__skip'")
    assert column(browser, 1) == ["ties"]


def test_hostile_names_stay_names(site: str, browser: Any) -> None:
    explore(site, browser, "contains=x%3C%2Ftitle")
    browser.find_element("css selector", ".explore-rows tbody td:nth-child(2) a").click()
    traced = browser.current_url.removeprefix(site)
    assert traced.startswith("runs/x")
    browser.get(f"{site}leaderboard.html")
    own = browser.find_element("css selector", "article a[href*='x_--title']").get_attribute("href").removeprefix(site)
    for page in ("explore.html", "leaderboard.html", "leaderboard/tiny-encoder.html", "claims.html", traced, own):
        browser.get(site + page)
        assert browser.title != "pwned", page
        assert not browser.find_elements("css selector", "article script, article img[src='x'], a[href^='javascript']")
    explore(site, browser, "contains=pwned")
    assert [name for name in column(browser, 1) if name == EVIL]


def page_of(site: str, name: str) -> str:
    """A page as it is sent, before any script."""
    with urlopen(f"{site}{name}") as answer:
        told: bytes = answer.read()
    return told.decode()


def test_every_page_of_results_leads_to_how_to_cite_it(site: str) -> None:
    told = re.sub(r"<[^>]*>", "", page_of(site, "cite.html"))
    assert "@software{mergeboard" in told and "cff-version" in told
    home = page_of(site, "index.html")
    (run, *_) = re.findall(r'href="(runs/[^"#]+)', page_of(site, "explore.html"))
    (model, *_) = re.findall(r'href="(leaderboard/[^"#]+html)', home)
    for name in ("index.html", "leaderboard.html", "explore.html", "claims.html", "ablations.html", run, model):
        up = "../" if "/" in name else ""
        assert f'href="{up}cite.html"' in page_of(site, name), name


def test_a_view_of_the_explorer_is_shared_by_its_address(site: str, browser: Any) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    explore(site, browser, "model=small-gpt2")
    browser.execute_script(
        "window.told = []; Object.defineProperty(navigator, 'clipboard', "
        "{value: {writeText: async (text) => window.told.push(text)}, configurable: true})"
    )
    button = browser.find_element("css selector", ".explore-share")
    button.click()
    WebDriverWait(browser, 5).until(lambda _: button.text == "Link copied")
    assert browser.execute_script("return window.told") == [browser.current_url]
    assert "model=small-gpt2" in browser.current_url
    choose(browser, "model", "all")
    assert button.text == "Copy a link to this view", "another view, another link"


def test_without_javascript_rows_stand_table_by_table_from_the_highest_score(site: str) -> None:
    page = page_of(site, "explore.html")
    heads = [re.sub("<[^>]*>", "", head) for head in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page)]
    rows = [re.findall(r"<td([^>]*)>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(<td.*?)</tr>", page)]
    known = ("model", "suite", "protocol", "setting")
    tables = [tuple(row[heads.index(name)][1] for name in known) for row in rows]
    begun = [one for one, before in zip(tables, [None, *tables], strict=False) if one != before]
    assert len(begun) == len({*begun}) > 3, "no table begins twice"
    assert any("Ablation" in one[3] for one in begun)
