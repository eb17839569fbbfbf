"""Chromium with the page in it. A request, an error or a message on the console fails a test."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ["SIGMAX_ISA"] = "baseline"  # whose bits the page has; read whenever a network is made

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))
from expected_skips import pytest_sessionfinish  # noqa: E402, F401 (a hook)

PAGE = Path(os.environ.get("SIGMAX_PAGE", ROOT / "docs" / "derivation.html")).resolve()


@pytest.fixture(scope="session")
def digits():
    from sigmax._command.digits import load_digits

    return load_digits()


@pytest.fixture(scope="session")
def chromium():
    api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """The page as a test uses it."""

    def __init__(self, page):
        self.page = page

    def value(self, section, name):
        """Return the exact number that a <data> element carries."""
        found = self.page.locator(f"#numbers-{section} [data-name={name}]").first
        return float(found.get_attribute("value"))

    def click(self, name):
        self.page.click(f"#{name}")
        self.settle()

    def neuron(self, layer, neuron):
        self.page.click(f"[data-layer='{layer}'][data-neuron='{neuron}']")
        self.settle()

    def settle(self):
        """Wait until what has changed is shown: two frames."""
        self.page.evaluate(
            "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )

    def text(self, name):
        return self.page.locator(f"#{name}").text_content()

    def rate(self, text):
        self.page.fill("#rate", text)
        self.page.press("#rate", "Tab")
        self.settle()

    def saved(self, folder):
        """Save the network and return the file."""
        with self.page.expect_download() as download:
            self.page.click("#save")
        path = folder / "sigmax-network.npz"
        download.value.save_as(path)
        return path


@pytest.fixture
def open_page(chromium):
    """Return a function that opens the page and returns a Reader."""
    contexts, problems = [], []

    def open_it(width=1280, height=900, scheme="light", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: problems.append(request.url) if is_foreign(request.url) else None,
        )
        page.goto(PAGE.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready=yes]", timeout=30_000)
        return Reader(page)

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


def is_foreign(url):
    return url != PAGE.as_uri() and not url.startswith("blob:")


@pytest.fixture
def reader(open_page):
    return open_page()


def same(value, expected):
    """Whether a number of the page has the bits of a number of the package."""
    return np.float64(value) == np.float64(expected)
