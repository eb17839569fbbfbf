"""Clicks, keys and drags; bad input; widths, colours and what a screen reader is given."""

import re

import pytest
import sigmax
from conftest import PAGE
from sigmax import files


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


@pytest.mark.parametrize("rate", ["1e3", "1e9", "1e300"])
def test_a_huge_rate_is_explained_each_time_and_changes_nothing(reader, rate):
    before = reader.value("z", "z")
    reader.rate(rate)
    for button in ("epoch", "epoch", "train"):
        reader.click(button)
        message = reader.text("training-message")
        assert message.endswith("The network is as it was before. Take a smaller rate.")
        assert reader.value("z", "z") == before
        assert reader.text("progress").startswith("0 epochs.")
        assert reader.text("train") == "Train"
    reader.rate("0.5")
    assert reader.text("training-message") == ""
    reader.click("epoch")
    assert reader.text("training-message") == ""
    assert reader.text("progress").startswith("1 epoch.")


def test_a_step_that_is_too_long_is_kept_and_explained_each_time(reader):
    reader.rate("100")
    for button in ("step", "step", "step-digit"):
        reader.click(button)
        assert "a step was too long" in reader.text("training-message")
    reader.rate("0.5")
    reader.click("reset")
    reader.click("step")
    assert reader.text("training-message") == ""


def test_train_runs_until_stop(reader):
    reader.click("train")
    assert reader.text("train") == "Stop"
    assert reader.page.get_attribute("#progress", "aria-live") == "off"
    reader.page.wait_for_selector("text=/[5-9] epochs/", timeout=20_000)
    reader.click("train")
    assert reader.text("train") == "Train"
    assert reader.page.get_attribute("#progress", "aria-live") is None
    stopped = reader.text("progress")
    for _ in range(10):
        reader.settle()
    assert reader.text("progress") == stopped


def test_three_clicks_in_one_frame_start_one_training(reader):
    reader.page.evaluate("""() => {
        const button = document.getElementById("train");
        globalThis.frames_wanted = 0;
        const original = globalThis.requestAnimationFrame;
        globalThis.requestAnimationFrame = (f) => {
            if (f.name === "run") globalThis.frames_wanted++;
            return original((time) => {
                if (f.name === "run") globalThis.frames_run = (globalThis.frames_run ?? 0) + 1;
                f(time);
            });
        };
        button.click(); button.click(); button.click();
    }""")
    for _ in range(5):
        reader.settle()
    reader.click("train")
    wanted, run = reader.page.evaluate("[globalThis.frames_wanted, globalThis.frames_run]")
    assert run >= 5
    assert wanted == run + 2  # one of the first two clicks and one of the last are taken back


def test_start_again_with_a_bad_rate_keeps_the_message(reader):
    reader.rate("abc")
    for button in ("reset", "next-digit"):
        reader.click(button)
        assert "it is “abc”" in reader.text("training-message")
        assert reader.page.get_attribute("#rate", "aria-invalid") == "true"
    reader.click("race")
    assert reader.text("race-result").startswith("The rate must be a number")


def test_start_again_after_a_wider_network(reader, tmp_path):
    sigmax.Network([64, 200, 10], seed=1).save(tmp_path / "wide.npz")
    reader.page.set_input_files("#load", tmp_path / "wide.npz")
    reader.page.wait_for_selector("#outside-message:not(:empty)")
    reader.neuron(1, 150)
    reader.click("reset")
    network = sigmax.Network([64, 30, 10], seed=0)
    pressed = reader.page.locator("[data-neuron][aria-pressed=true]")
    assert pressed.get_attribute("data-neuron") == "29"
    assert "Hidden neuron 29" in reader.text("numbers-bp2")
    assert reader.value("z", "b") == network.biases[0][29]
    text = reader.page.inner_text("main")
    for word in ("not a number", "NaN", "undefined", "∞"):
        assert word not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no archive", "does not start like"),
        ("cut", "not"),
        ("sizes", "its sizes are 2-3-2"),
        ("classes", "its classes are called a, b, c, d, e, f, g, h, i, j"),
    ],
)
def test_a_model_file_that_does_not_fit(reader, tmp_path, content, words):
    before = reader.value("z", "z")
    path = tmp_path / "bad.npz"
    sigmax.Network([2, 3, 2] if content == "sizes" else [64, 30, 10], seed=1).save(path)
    if content == "classes":
        files.save(path, sigmax.Network([64, 30, 10], seed=1), class_names=list("abcdefghij"))
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif isinstance(content, bytes):
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
    assert "BP, float32" in reader.text("numbers-difference")
    assert reader.value("z", "z") == float(network.weighted_inputs(digits[0][:1])[0][0, 0])


def test_a_model_in_double_whose_classes_are_the_digits_is_shown(reader, digits, tmp_path):
    X, _ = digits
    network = sigmax.Network([64, 20, 10], dtype="float64", seed=5)
    names = [str(digit) for digit in range(10)]
    files.save(tmp_path / "double.npz", network, class_names=names, class_kind="int")
    reader.page.set_input_files("#load", tmp_path / "double.npz")
    reader.page.wait_for_selector("#outside-message:not(:empty)")
    reader.settle()
    assert "BP, float32" not in reader.text("numbers-difference")
    assert "rounding in float64" in reader.text("numbers-jacobian")
    z = network.weighted_inputs(X[:1].astype("float64"))
    assert reader.value("z", "z") == float(z[0][0, 0])


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


def test_an_answer_goes_with_its_question(reader):
    reader.page.fill("#exercise-answer", "123456")
    reader.page.press("#exercise-answer", "Enter")
    assert reader.text("exercise-message") != ""
    reader.click("next-digit")
    assert reader.text("exercise-message") == ""
    assert reader.page.input_value("#exercise-answer") == ""
    reader.page.fill("#exercise-answer", "0.1")
    reader.page.fill("#rate", "0.25")  # which the question does not name
    reader.page.press("#rate", "Tab")
    reader.settle()
    assert reader.page.input_value("#exercise-answer") == "0.1"


def test_the_three_errors_of_a_network_that_is_confidently_wrong(reader):
    def errors(kind):
        return [
            float(reader.page.get_attribute(f"[data-name=wrong_{kind}{i}]", "value"))
            for i in range(3)
        ]

    reader.page.fill("#wrong-z", "15")
    assert max(map(abs, errors("quadratic"))) < 1e-5
    assert errors("entropy") == pytest.approx([-1, 1, 0], abs=1e-5)
    assert "NaN" not in reader.text("wrong-table")


def test_the_weight_is_chosen_by_number(reader):
    reader.page.fill("#source", "20")
    reader.page.press("#source", "Tab")
    reader.settle()
    assert "from pixel 20" in reader.text("numbers-bp4")
    reader.page.fill("#source", "64")
    reader.page.press("#source", "Tab")
    assert reader.text("source-message") == "k must be a whole number from 0 to 63."
    reader.neuron(1, 3)
    assert reader.text("source-message") == ""
    k = reader.page.input_value("#source")
    for text in ("", "1.5", "-1"):
        reader.page.fill("#source", text)
        reader.page.press("#source", "Tab")
        assert reader.text("source-message") == "k must be a whole number from 0 to 63."
        assert f"from pixel {k};" in reader.text("numbers-bp4")


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
    assert reader.page.locator("noscript p").is_visible()
    assert "JavaScript, which is switched off here" in reader.page.inner_text("noscript p")
    assert reader.page.locator("button, input, select").count() == 0


def test_the_policy_forbids_the_network():
    policy = re.search(
        r'Content-Security-Policy"? content="([^"]*)"', PAGE.read_text(encoding="utf-8")
    )
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy[1]
    assert "unsafe-eval'" not in policy[1].replace("wasm-unsafe-eval'", "")
