"""The page in Firefox, through Mozilla's own protocol: the same bits, no overflow, no error."""

import shutil
import time

import pytest
import sigmax
from conftest import PAGE


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    marionette = pytest.importorskip("marionette_driver.marionette")
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no firefox")
    # Marionette deletes the file of its log first: os.devnull would be no device any more.
    log = tmp_path_factory.mktemp("firefox") / "log"
    client = marionette.Marionette(bin=path, headless=True, startup_timeout=90, gecko_log=str(log))
    client.start_session()
    yield client
    client.quit()


def wait_for(client, script, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if client.execute_script(script):
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {script}")


@pytest.mark.filterwarnings("ignore")
def test_the_same_bits_in_firefox(firefox, digits):
    X, y = digits
    firefox.navigate(PAGE.as_uri())
    wait_for(firefox, "return document.documentElement.dataset.ready === 'yes'")
    for epoch in (1, 2):
        firefox.execute_script("document.getElementById('epoch').click()")
        text = f"{epoch} epoch"
        wait_for(
            firefox, f"return document.getElementById('progress').textContent.startsWith('{text}')"
        )
    network = sigmax.Network([64, 30, 10], seed=0)
    network.fit(X[:1500], y[:1500], epochs=2, batch_size=10, learning_rate=0.5)
    result = network.backprop(X[:1], y[:1])
    shown = firefox.execute_script(
        "return document.querySelector('#numbers-bp2 [data-name=delta]').getAttribute('value')"
    )
    assert float(shown) == float(result.deltas[0][0, 0])
    assert (
        firefox.execute_script("return document.getElementById('page-message').textContent") == ""
    )
    assert firefox.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
