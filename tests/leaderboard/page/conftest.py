"""A board that has a row of every kind, its pages, and a browser where there is one."""

import shutil
from pathlib import Path

import pytest

from sageserve_env.leaderboard.page.build import build
from sageserve_env.leaderboard.page.content import Section, sections
from tests.leaderboard.page.pages import varied
from tests.leaderboard.sample import Sample

CHROMIUM, DRIVER = "chromium", "chromedriver"

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def board(whole, tmp_path_factory) -> Sample:
    """The sample with more entries; not to be written to."""
    return varied(whole.copy(tmp_path_factory.mktemp("varied") / "leaderboard"))


@pytest.fixture(scope="session")
def section(board) -> Section:
    """What its pages tell of its one problem."""
    (found,) = sections(board.board())
    return found


@pytest.fixture(scope="session")
def site(board, tmp_path_factory) -> Path:
    """Its pages; not to be written to."""
    out = tmp_path_factory.mktemp("site") / "pages"
    build(board.board(), out)
    return out


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium without a window, by Selenium."""
    missing = [name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed; make page-test says how to get it")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which(DRIVER)))
    yield driver
    driver.quit()
