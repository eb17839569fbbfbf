"""The numbers of the page are those of the Python package, to the bit."""

import numpy as np
import pytest
import sigmax
from conftest import same

H = 1e-5


def check_numbers(reader, network, x, label, hidden, output, layer, neuron):
    """Compare every section; the chosen neuron is (layer, neuron), `hidden` in layer 1."""
    row, y = x[np.newaxis], [label]
    z = network.weighted_inputs(row)
    a = network.activations(row)[1:]  # it begins with a_0
    result = network.backprop(row, y)
    last = len(network.sizes) - 2
    assert same(reader.value("z", "z"), z[layer - 1][0, neuron])
    assert same(reader.value("sigmoid", "a"), a[0][0, hidden])
    assert same(reader.value("sigmoid", "slope"), sigmax.sigmoid_prime(z[0])[0, hidden])
    jacobian = sigmax.softmax_jacobian(z[last][0])
    for i in range(10):
        assert same(reader.value("softmax", f"a{i}"), a[last][0, i])
        assert same(reader.value("jacobian", f"da{i}"), jacobian[i, output])
        assert same(reader.value("bp1", f"delta{i}"), result.deltas[last][0, i])
    assert same(reader.value("cost", "cost"), network.cost(row, y))
    assert same(reader.value("bp2", "delta"), result.deltas[0][0, hidden])
    assert same(reader.value("bp3", "nabla_b"), result.nabla_b[layer - 1][neuron])
    k = int(reader.page.input_value("#source"))
    assert same(reader.value("bp4", "nabla_w"), result.nabla_w[layer - 1][neuron, k])
    after = network.copy()
    after.fit(row, y, epochs=1, batch_size=1, learning_rate=0.5)
    assert same(reader.value("update", "w_after"), after.weights[layer - 1][neuron, k])
    assert same(reader.value("update", "b_after"), after.biases[layer - 1][neuron])
    assert same(reader.value("update", "cost_after"), after.cost(row, y))
    return k


def double_of(network):
    twin = sigmax.Network(network.sizes, dtype="float64", seed=0)
    twin.parameters[:] = network.parameters
    return twin


@pytest.mark.parametrize(
    ("layer", "neuron", "hidden", "output"), [(1, 0, 0, 0), (1, 7, 7, 0), (2, 3, 0, 3)]
)
def test_every_section_before_training(reader, digits, layer, neuron, hidden, output):
    X, y = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    if (layer, neuron) != (1, 0):
        reader.neuron(layer, neuron)
    k = check_numbers(reader, network, X[0], y[0], hidden, output, layer, neuron)
    about = reader.page.inner_text("#numbers-update .about")
    assert about == "One step on digit no. 0 alone, at the rate 0.5000. Choose another"
    assert reader.page.inner_html("#numbers-cost sup") == "<i>z</i> \N{MINUS SIGN} <i>m</i>"
    batch = network.backprop(X[:10], y[:10])
    assert same(reader.value("bp3", "nabla_b_batch"), batch.nabla_b[layer - 1][neuron])
    assert same(reader.value("bp4", "nabla_w_batch"), batch.nabla_w[layer - 1][neuron, k])


def test_the_central_difference_in_double(reader, digits):
    X, y = digits
    twin = double_of(sigmax.Network([64, 30, 10], seed=0))
    row, k = X[:1].astype(np.float64), int(reader.page.input_value("#source"))
    result = twin.backprop(row, y[:1])
    assert same(reader.value("difference", "w_double"), result.nabla_w[0][0, k])
    w = twin.weights[0][0, k]
    costs = []
    for value in (w + H, w - H):
        twin.weights[0][0, k] = value
        costs.append(twin.cost(row, y[:1]))
    assert same(reader.value("difference", "w_difference"), (costs[0] - costs[1]) / (2 * H))
    assert reader.value("difference", "w_difference") == pytest.approx(
        result.nabla_w[0][0, k], rel=1e-7
    )


def test_every_parameter_is_checked(reader):
    reader.click("check-all")
    assert "All 2,260 parameters" in reader.text("check-result")
    assert "not a number" not in reader.text("check-result")


def test_training_by_the_buttons_gives_the_parameters_of_fit(reader, digits, tmp_path):
    X, y = digits
    network = sigmax.Network([64, 30, 10], seed=0)
    for _ in range(3):
        reader.click("epoch")
    network.fit(X[:1500], y[:1500], epochs=3, batch_size=10, learning_rate=0.5)
    loaded = sigmax.Network.load(reader.saved(tmp_path))
    assert loaded.parameters.tobytes() == network.parameters.tobytes()
    assert loaded.epochs_trained == 3
    reader.click("next-wrong")
    row = int(reader.text("digit-caption").split()[2].rstrip(":"))
    wrong = np.flatnonzero(network.predict(X) != y)
    assert row == wrong[0]
    check_numbers(reader, network, X[row], y[row], 0, 0, 1, 0)
    reader.click("step")
    reader.click("step-digit")
    for rows in (slice(0, 10), slice(row, row + 1)):
        network.fit(X[rows], y[rows], epochs=1, batch_size=10, learning_rate=0.5, shuffle=False)
    assert (
        sigmax.Network.load(reader.saved(tmp_path)).parameters.tobytes()
        == network.parameters.tobytes()
    )


def test_three_hidden_layers_and_large_weights(reader, digits):
    X, y = digits
    reader.page.select_option("#init", "large")
    reader.page.select_option("#hidden", "30,30,30")
    reader.settle()
    network = sigmax.Network([64, 30, 30, 30, 10], seed=0, init="large")
    reader.neuron(1, 4)
    check_numbers(reader, network, X[0], y[0], 4, 0, 1, 4)
    assert reader.page.locator("#histograms figure").count() == 7


def test_the_python_lines_go_on_from_the_file(reader, tmp_path, monkeypatch, capsys):
    reader.click("epoch")
    reader.neuron(1, 7)
    reader.saved(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(reader.text("outside-code"), "page", "exec"), {})  # the lines that a reader copies
    delta, gap, cost = map(float, capsys.readouterr().out.split())
    assert np.float32(delta) == np.float32(reader.value("bp2", "delta"))
    assert gap < 1e-6
    assert cost < reader.value("cost", "cost")


def test_the_errors_of_the_quadratic_cost(reader, digits):
    X, y = digits
    network = sigmax.Network([64, 30, 10], dtype="float64", seed=0)
    z = network.weighted_inputs(X[:1])[-1][0]
    for i in range(10):
        costs = []
        for sign in (1, -1):
            moved = z.copy()
            moved[i] += sign * H
            costs.append(
                0.5 * ((sigmax.softmax(moved[np.newaxis])[0] - np.eye(10)[y[0]]) ** 2).sum()
            )
        shown = reader.page.locator(f"[data-name=quadratic{i}]").get_attribute("value")
        assert float(shown) == pytest.approx((costs[0] - costs[1]) / (2 * H), rel=1e-4)
