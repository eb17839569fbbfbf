"""Measures the page and the module in Chromium, on an idle machine: ``python web/measure.py``.

Two things. How long the page takes from the start of its navigation until its numbers stand there,
opened from disk in a new browser context each time. And what a step of mini-batch gradient descent
takes in Chromium, beside the same step of the Python package on its instruction set baseline, one
thread each: the two take turns, the bits of their parameters must agree, and the medians over the
rounds are compared. Prints tables in Markdown. Needs playwright, Chromium, the package sigmax, and
what `make -C web` builds.
"""

import argparse
import base64
import os
import platform
import shutil
import statistics
import time
from datetime import date
from pathlib import Path

os.environ["SIGMAX_ISA"] = "baseline"  # whose bits WebAssembly has; read when a network is made

import numpy as np
import sigmax
from playwright.sync_api import Browser, Page, sync_playwright

WEB = Path(__file__).resolve().parent
PAGE = WEB.parent / "docs" / "derivation.html"
READY_AT_MOST = 500.0  # milliseconds
RATIO_AT_MOST = 1.4

# Sizes, rows of a batch, epochs of a sample: long enough for a clock that ticks every 0.1 ms.
ROWS = 1500
NETWORKS = [([64, 30, 10], 10, 20), ([784, 30, 10], 10, 8), ([784, 100, 10], 10, 4)]

NOTE_READY = """new MutationObserver(() => {
    if (document.documentElement?.dataset.ready === "yes") globalThis.readyAt ??= performance.now();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready"] });"""

START_MODULE = """async ([text, wasm]) => {
    const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const file = new Blob([text], { type: "text/javascript" });
    const { instantiate } = await import(URL.createObjectURL(file));
    globalThis.sigmax = await instantiate(bytes(wasm));
    globalThis.reals = (base64) => new Float32Array(bytes(base64).buffer);
}"""

KEEP_DATA = """([X, labels]) => {
    globalThis.X = reals(X);
    globalThis.labels = Int32Array.from(labels);
}"""

TRAIN = """([sizes, batchSize, epochs]) => {
    const network = sigmax.network({ sizes, seed: 0 });
    const begin = performance.now();
    network.fit(X, labels, { epochs, batchSize, rate: 0.5 });
    const milliseconds = performance.now() - begin;
    const parameters = Array.from(network.parameters());
    network.free();
    return { milliseconds, parameters };
}"""


def ready_times(browser: Browser, page: Path, rounds: int) -> list[float]:
    """Return the milliseconds until the numbers of the page stand there, of each opening."""
    times = []
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        tab = context.new_page()
        tab.add_init_script(NOTE_READY)
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-ready=yes]", timeout=30_000)
        times.append(float(tab.evaluate("globalThis.readyAt")))
        context.close()
    return times


def module_in(browser: Browser, build: Path) -> Page:
    """Return an empty page in which the module of that folder is ready."""
    tab = browser.new_page()
    tab.goto("about:blank")
    wasm = base64.b64encode((build / "sigmax.wasm").read_bytes()).decode()
    tab.evaluate(START_MODULE, [(build / "sigmax.mjs").read_text(encoding="utf-8"), wasm])
    return tab


def step_times(
    tab: Page, sizes: list[int], batch: int, epochs: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Return microseconds of a step, in Chromium and natively, of each round but the first.

    Raises
    ------
    SystemExit
        The two have reached other parameters.
    """
    rng = np.random.default_rng(0)
    X = rng.random((ROWS, sizes[0]), np.float32)
    y = rng.integers(0, sizes[-1], ROWS)
    tab.evaluate(KEEP_DATA, [base64.b64encode(X.tobytes()).decode(), y.tolist()])
    steps = epochs * -(-ROWS // batch)
    web, native = [], []
    for _ in range(rounds + 1):
        result = tab.evaluate(TRAIN, [sizes, batch, epochs])
        network = sigmax.Network(sizes, seed=0)
        begin = time.perf_counter()
        network.fit(X, y, epochs=epochs, batch_size=batch, learning_rate=0.5)
        native.append(1e6 * (time.perf_counter() - begin) / steps)
        web.append(1e3 * result["milliseconds"] / steps)
        if not np.array_equal(np.float32(result["parameters"]), network.parameters):
            raise SystemExit(f"{sizes}: Chromium and the package have reached other parameters")
    return web[1:], native[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="of each measurement")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--build", type=Path, default=WEB / "build", help="the module's folder")
    arguments = parser.parse_args()
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("no chromium; expected it in the path: apt-get install chromium")
    sigmax.set_num_threads(1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
        print(f"Chromium {browser.version}, sigmax {sigmax.__version__}, {date.today()}\n")
        times = ready_times(browser, arguments.page.resolve(), arguments.rounds)
        print("| the page, from disk | median | least | most | wanted |\n|---|---:|---:|---:|---:|")
        numbers = (statistics.median(times), min(times), max(times), READY_AT_MOST)
        print("| ready | " + " | ".join(f"{number:.0f} ms" for number in numbers) + " |\n")
        print(f"| network, batch | Chromium | native baseline | ratio, wanted <= {RATIO_AT_MOST} |")
        print("|---|---:|---:|---:|")
        tab = module_in(browser, arguments.build)
        for sizes, batch, epochs in NETWORKS:
            web, native = step_times(tab, sizes, batch, epochs, arguments.rounds)
            ratio = statistics.median(w / n for w, n in zip(web, native, strict=True))
            name = "-".join(map(str, sizes))
            medians = f"{statistics.median(web):.1f} us | {statistics.median(native):.1f} us"
            print(f"| {name}, {batch} | {medians} | {ratio:.2f} |")
        browser.close()


if __name__ == "__main__":
    main()
