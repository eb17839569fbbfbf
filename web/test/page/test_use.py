"""Clicks, keys and drags; bad input; widths, colours and what a screen reader is given."""

import re

import pytest
import sigmax
from conftest import PAGE


@pytest.mark.parametrize("text", ["0", "-1", "NaN", "abc", "", "Infinity"])
def test_a_bad_rate_is_an_error_in_words_and_changes_nothing(reader, text):
    before = reader.value("z", "z")
    reader.rate(text)
    reader.click("epoch")
    assert reader.text("training-message").startswith("The rate must be")
    assert reader.page.get_attribute("#rate", "aria-invalid") == "true"
    assert reader.value("z", "z") == before
    reader.rate("0.5")
    reader.click("epoch")
    assert reader.text("training-message") == ""
    assert reader.text("progress").startswith("1 epoch.")


def test_a_huge_rate_is_explained(reader):
    reader.rate("1e9")
    reader.click("epoch")
    assert re.search("steps are too long|smaller rate", reader.text("training-message"))
    reader.rate("0.5")
    reader.click("reset")
    reader.click("epoch")
    assert reader.text("training-message") == ""


def test_train_runs_until_stop(reader):
    reader.click("train")
    assert reader.text("train") == "Stop"
    reader.page.wait_for_selector("text=/[5-9] epochs/", timeout=20_000)
    reader.click("train")
    assert reader.text("train") == "Train"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no archive", "does not start like"), ("cut", "not"), ("sizes", "its sizes are 2-3-2")],
)
def test_a_model_file_that_does_not_fit(reader, tmp_path, content, words):
    before = reader.value("z", "z")
    path = tmp_path / "bad.npz"
    sigmax.Network([2, 3, 2] if content == "sizes" else [64, 30, 10], seed=1).save(path)
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif content != "sizes":
        path.write_bytes(content)
    reader.page.set_input_files("#load", path)
    reader.page.wait_for_selector("#outside-message:not(:empty)")
    assert reader.text("outside-message").startswith("bad.npz was not loaded: ")
    assert words in reader.text("outside-message")
    assert reader.value("z", "z") == before


def test_a_model_file_of_the_package_is_shown(reader, digits, tmp_path):
    network = sigmax.Network([64, 20, 10], seed=5)
    network.fit(*digits, epochs=1)
    network.save(tmp_path / "mine.npz")
    reader.page.set_input_files("#load", tmp_path / "mine.npz")
    reader.page.wait_for_selector("#outside-message:not(:empty)")
    reader.settle()
    assert "64-20-10, trained for 1 epochs" in reader.text("outside-message")
    assert reader.value("z", "z") == float(network.weighted_inputs(digits[0][:1])[0][0, 0])


def test_drawing(reader):
    reader.click("drawing-use")
    assert reader.text("drawing-result") == "Nothing is drawn yet: draw a digit first."
    for _ in range(12):
        reader.click("epoch")
    canvas = reader.page.locator("#drawing-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def at(x, y):
        return box["x"] + x * box["width"] / 32, box["y"] + y * box["height"] / 32

    reader.page.mouse.move(*at(16, 4))
    reader.page.mouse.down()
    for x, y in ((10, 8), (9, 16), (11, 25), (16, 28), (22, 24), (23, 16), (21, 7), (16, 4)):
        reader.page.mouse.move(*at(x, y))
    reader.page.mouse.up()
    reader.page.select_option("#drawing-label", "0")
    reader.click("drawing-use")
    assert "The network reads a 0" in reader.text("drawing-result")
    assert "Your drawing: a 0." in reader.text("digit-caption")
    reader.click("drawing-clear")
    canvas.focus()
    reader.page.keyboard.press("Space")
    for _ in range(10):
        reader.page.keyboard.press("ArrowDown")
    reader.page.keyboard.press("Space")
    reader.click("drawing-use")
    assert "The network reads a" in reader.text("drawing-result")


def test_a_slider_moves_every_bar(reader):
    shares = [reader.text(f"share-{j}") for j in range(4)]
    reader.page.focus("#slider-1")
    for _ in range(8):
        reader.page.keyboard.press("ArrowRight")
    moved = [reader.text(f"share-{j}") for j in range(4)]
    assert all(old != new for old, new in zip(shares, moved, strict=True))
    assert reader.text("sliders-sum") == "1.0000000000"


def test_neurons_by_keyboard(reader):
    reader.page.focus("[data-layer='1'][data-neuron='0']")
    reader.page.keyboard.press("ArrowDown")
    reader.page.keyboard.press("ArrowRight")
    reader.settle()
    assert reader.page.get_attribute("[data-layer='1'][data-neuron='11']", "aria-pressed") == "true"
    assert "Hidden neuron 11" in reader.text("numbers-bp2")


@pytest.mark.parametrize("kind", ["bp1", "bp2", "bp4"])
def test_exercises(reader, kind):
    def answer(text):
        reader.page.fill("#exercise-answer", text)
        reader.page.press("#exercise-answer", "Enter")
        return reader.text("exercise-message")

    reader.page.select_option("#exercise-kind", kind)
    reader.click("exercise-show")
    right = reader.text("exercise-message").removeprefix("The answer is ").rstrip(".")
    assert answer(right).startswith("Right")
    minus = "\N{MINUS SIGN}"
    opposite = right[1:] if right.startswith(minus) else minus + right
    assert answer(opposite).startswith("Not yet. ")
    assert "is no number" in answer("abc")
    assert answer("123456").startswith("Not yet, and it is none")
    reader.click("exercise-next")
    assert reader.text("exercise-message") == ""


def test_an_answer_without_the_slope_is_recognised(reader):
    reader.page.select_option("#exercise-kind", "bp2")
    total = reader.page.locator("#exercise-question data").nth(1).get_attribute("value")
    reader.page.fill("#exercise-answer", total)
    reader.page.press("#exercise-answer", "Enter")
    assert "not the slope" in reader.text("exercise-message")


def test_the_weight_is_chosen_by_number(reader):
    reader.page.fill("#source", "20")
    reader.page.press("#source", "Tab")
    reader.settle()
    assert "from pixel 20" in reader.text("numbers-bp4")
    reader.page.fill("#source", "64")
    reader.page.press("#source", "Tab")
    assert reader.text("source-message") == "k must be a whole number from 0 to 63."


def test_both_costs_race(reader):
    reader.page.select_option("#init", "large")
    reader.click("race")
    reader.page.wait_for_selector("#race-result:not(:empty)", timeout=60_000)
    shown = re.findall(r"([\d.]+) %", reader.text("race-result"))
    assert float(shown[0]) > 75
    assert float(shown[1]) < float(shown[0])


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(open_page, width):
    reader = open_page(width)
    reader.click("check-all")
    assert reader.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_rules_of_accessibility(open_page, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    reader = open_page(width, scheme=scheme)
    reader.click("epoch")
    reader.rate("abc")
    results = axe.Axe().run(reader.page).response["violations"]
    assert [(r["id"], [node["target"] for node in r["nodes"]][:5]) for r in results] == []


def test_without_scripts_the_derivation_is_there(open_page):
    reader = open_page(java_script_enabled=False)
    assert reader.page.locator("math").count() > 100
    assert "csrc/engine/matmul_delta.h:" in reader.page.inner_text("#c-bp2-store")
    assert (
        "need JavaScript" in reader.page.inner_text("noscript")
        or reader.page.locator("noscript").count() == 1
    )


def test_the_policy_forbids_the_network():
    policy = re.search(
        r'Content-Security-Policy" content="([^"]*)"', PAGE.read_text(encoding="utf-8")
    )
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy[1]
    assert "unsafe-eval'" not in policy[1].replace("wasm-unsafe-eval'", "")
