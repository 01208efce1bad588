"""The pages in Chromium, from the disk: no complaint, tables sort, the slider moves, the theme stays, nothing overflows."""

import json

import pytest

from sageserve_env.leaderboard.page.formats import short
from tests.leaderboard.page.pages import pages

pytestmark = pytest.mark.browser


@pytest.fixture
def show(browser, site):
    """Open a page in a window of a width."""

    def opened(name: str, width: int = 1200, height: int = 900):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        browser.get((site / name).as_uri())
        return browser

    yield opened
    browser.execute_script("localStorage.clear()")


def texts(page, selector: str) -> list[str]:
    return page.execute_script("return [...document.querySelectorAll(arguments[0])].map(each => each.textContent)", selector)


def column(page, group: int, index: int) -> list[str]:
    """Cells of a column within a group of the standings, without what is small."""
    script = """
        const rows = [...document.querySelector(".standings").tBodies[arguments[0]].rows].slice(1);
        return rows.map(row => row.cells[arguments[1]].firstChild.textContent.trim());
    """
    return page.execute_script(script, group, index)


def names(page, group: int) -> list[str]:
    """Policies of a group of the standings, in order."""
    links = "document.querySelector('.standings').tBodies[arguments[0]].querySelectorAll('th a')"
    return page.execute_script(f"return [...{links}].map(link => link.textContent)", group)


def requested(page) -> set[str]:
    """Addresses that pages from the disk have asked for; not those of the browser's own first page."""
    said = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [each["params"] for each in said if each["method"] == "Network.requestWillBeSent"]
    return {each["request"]["url"] for each in asked if each["documentURL"].startswith("file:")}


def test_no_page_complains_or_asks_the_network(site, show, browser):
    browser.get_log("browser")
    for path in pages(site):
        show(path.relative_to(site))
        assert browser.get_log("browser") == []
    asked = requested(browser)
    assert any(address.endswith("/assets/style.css") for address in asked)
    assert [address for address in asked if not address.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_nothing_overflows(site, show, width):
    for path in pages(site):
        page = show(path.relative_to(site), width)
        assert page.execute_script("return document.documentElement.scrollWidth") <= width, path.name
        outside = page.execute_script("""
            const out = each => { const box = each.getBoundingClientRect(); return box.right > innerWidth + 1 || box.left < -1; };
            const hidden = each => each.closest(".scroll") || each.closest(".skip, .slider label, #theme b");
            const all = [...document.querySelectorAll("main *, header *")];
            return all.filter(each => !hidden(each) && out(each)).map(each => each.outerHTML.slice(0, 90));
        """)
        assert outside == [], path.name


def test_tables_sort_within_their_groups(show):
    page = show("mini.html")
    header = page.find_element("css selector", ".standings thead th:nth-child(5)")
    header.find_element("css selector", "button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert names(page, 0) == ["fast", "slow", "reactive-tuned"]
    assert names(page, 2) == ["hindsight"]
    up = [float(text.replace(",", "")) for text in column(page, 1, 4)]
    assert up == sorted(up)
    header.find_element("css selector", "button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert names(page, 0) == ["reactive-tuned", "slow", "fast"]
    assert len(page.find_elements("css selector", "th[aria-sort]")) == 1


def test_tables_sort_by_keyboard(show):
    from selenium.webdriver.common.keys import Keys

    page = show("mini.html")
    for _ in range(40):
        page.switch_to.active_element.send_keys(Keys.TAB)
        if page.switch_to.active_element.text.startswith("Policy"):
            break
    focused = page.switch_to.active_element
    outline = page.execute_script("return getComputedStyle(arguments[0]).outlineStyle", focused)
    assert outline == "solid"
    focused.send_keys(Keys.ENTER)
    assert names(page, 0) == ["fast", "reactive-tuned", "slow"]
    focused.send_keys(Keys.SPACE)
    assert names(page, 0) == ["slow", "reactive-tuned", "fast"]


def test_the_slider_moves_all_that_it_should(show):
    from selenium.webdriver.common.keys import Keys

    page = show("mini/mine.html")
    slider = page.find_element("id", "time")
    slider.send_keys(Keys.HOME)
    begun = {name: texts(page, name) for name in ("#clock", "#when", ".panel .legend output")}
    at = page.find_element("css selector", ".cursor").get_attribute("x1")
    slider.send_keys(Keys.END)
    for name, before in begun.items():
        assert texts(page, name) != before, name
    cursors = page.find_elements("css selector", ".cursor")
    assert len(cursors) == 6
    assert {each.get_attribute("x1") for each in cursors} != {at}
    data = json.loads(page.execute_script("return document.getElementById('replay-data').textContent"))
    assert texts(page, "#clock") == data["times"][-1:]
    assert texts(page, ".fleet td b") == [str(region[-1]) for model in data["fleet"]["active"] for region in model]
    last = [values[-1] for plot in data["readouts"] for values in plot]
    assert texts(page, ".panel .legend output") == [short(value) for value in last]
    assert slider.get_attribute("aria-valuetext") == data["times"][-1]


def test_play_goes_on_to_the_end_and_stops(show):
    from selenium.webdriver.support.ui import WebDriverWait

    page = show("mini/mine.html")
    page.find_element("id", "play").click()
    WebDriverWait(page, 20).until(lambda page: texts(page, "#play") == ["Play"])
    assert page.find_element("id", "time").get_attribute("value") == "2"


def test_the_theme_is_the_systems_until_it_is_chosen_and_then_stays(show):
    def paper(page) -> str:
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    page = show("index.html")
    light = paper(page)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    dark = paper(page)
    assert light != dark
    button = page.find_element("id", "theme")
    button.click()
    assert (button.text, paper(page)) == ("Theme: light", light)
    page = show("mini.html")
    assert paper(page) == light
    page.find_element("id", "theme").click()
    assert paper(show("mini/mine.html")) == dark


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(show, theme):
    """Text has a contrast of 4.5 to 1 at least, as WCAG 2.2 asks (1.4.3)."""
    script = """
        document.documentElement.dataset.theme = arguments[0];
        const numbers = text => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = each => { for (; each; each = each.parentElement) {
            const color = numbers(getComputedStyle(each).backgroundColor); if (color.length < 4 || color[3] > 0) return color; } };
        const bad = [];
        for (const each of document.querySelectorAll("body *:not(svg *):not(script)")) {
            if (![...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
            const [one, other] = [light(numbers(getComputedStyle(each).color)), light(ground(each))].sort((a, b) => b - a);
            if ((one + 0.05) / (other + 0.05) < 4.5) bad.push(each.outerHTML.slice(0, 80));
        }
        return bad;
    """
    for name in ("index.html", "mini.html", "mini/mine.html"):
        assert show(name).execute_script(script, theme) == []
