"""The page in Firefox, through Mozilla's own protocol: the same bits, no overflow, no error."""

import shutil
import socket
import time

import pytest
import sigmax
from conftest import PAGE


def free_port():
    """Return a port of this machine that nothing uses: workers of pytest-xdist have one each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    marionette = pytest.importorskip("marionette_driver.marionette")
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no firefox")
    # Marionette deletes the file of its log first: os.devnull would be no device any more.
    log = tmp_path_factory.mktemp("firefox") / "log"
    client = marionette.Marionette(
        bin=path, headless=True, startup_timeout=90, port=free_port(), gecko_log=str(log)
    )
    client.start_session()
    client.set_window_rect(width=1400, height=900)
    yield client
    client.quit()


def wait_for(client, script, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if client.execute_script(script):
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {script}")


PROBLEMS = """
return Services.console.getMessageArray()
    .filter((m) => m instanceof Ci.nsIScriptError && m.sourceName.startsWith("file:"))
    .map((m) => m.toString())
"""
REQUESTS = "return performance.getEntriesByType('resource').map((entry) => entry.name)"


@pytest.fixture
def opened(firefox):
    """The client with the page in it. A request, an error or a warning of the page fails a test."""
    with firefox.using_context("chrome"):
        firefox.execute_script("Services.console.reset()")
    firefox.navigate(PAGE.as_uri())
    wait_for(firefox, "return document.documentElement.dataset.ready === 'yes'")
    yield firefox
    assert text_of(firefox, "page-message") == ""
    assert [name for name in firefox.execute_script(REQUESTS) if not name.startswith("blob:")] == []
    with firefox.using_context("chrome"):
        assert firefox.execute_script(PROBLEMS) == []


def text_of(client, name):
    return client.execute_script(f"return document.getElementById('{name}').textContent")


def click(client, name):
    client.execute_script(f"document.getElementById('{name}').click()")


@pytest.mark.filterwarnings("ignore")
def test_the_same_bits(opened, digits):
    X, y = digits
    for epoch in (1, 2):
        click(opened, "epoch")
        text = f"{epoch} epoch"
        wait_for(
            opened, f"return document.getElementById('progress').textContent.startsWith('{text}')"
        )
    network = sigmax.Network([64, 30, 10], seed=0)
    network.fit(X[:1500], y[:1500], epochs=2, batch_size=10, learning_rate=0.5)
    result = network.backprop(X[:1], y[:1])
    shown = opened.execute_script(
        "return document.querySelector('#numbers-bp2 [data-name=delta]').getAttribute('value')"
    )
    assert float(shown) == float(result.deltas[0][0, 0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(opened, width):
    """The page's part of the window has that width: the window itself is at least 450 wide."""
    try:
        with opened.using_context("chrome"):
            opened.execute_script(
                "gBrowser.selectedBrowser.style.maxWidth = arguments[0]", script_args=[f"{width}px"]
            )
        wait_for(opened, f"return window.innerWidth === {width}")
        click(opened, "check-all")
        root = "document.documentElement"
        assert opened.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
    finally:
        with opened.using_context("chrome"):
            opened.execute_script("gBrowser.selectedBrowser.style.maxWidth = ''")


@pytest.mark.filterwarnings("ignore")
def test_drawing_with_the_mouse(opened):
    from marionette_driver.by import By
    from marionette_driver.marionette import ActionSequence

    for _ in range(3):
        click(opened, "epoch")
    canvas = opened.find_element(By.ID, "drawing-canvas")
    opened.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", script_args=[canvas]
    )
    mouse = ActionSequence(opened, "pointer", "mouse", {"pointerType": "mouse"})
    mouse.pointer_move(0, -90, origin=canvas).pointer_down()
    for x, y in ((-50, -60), (-60, 0), (-40, 70), (0, 95), (50, 60), (60, 0), (40, -70), (0, -90)):
        mouse.pointer_move(x, y, origin=canvas)
    mouse.pointer_up().perform()
    click(opened, "drawing-use")
    assert text_of(opened, "drawing-result").startswith("The network reads a ")
