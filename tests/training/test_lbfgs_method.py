"""L-BFGS by itself: dot products, the line search, the memory, and how it ends."""

import math

import numpy as np
import pytest
from sigmax._training import line_search
from sigmax._training.lbfgs import MEMORY, Lbfgs, LbfgsState, Pair, dot
from sigmax._training.line_search import MAX_TRIALS, LineSearch

# ---- the dot product -----------------------------------------------------------------------------


def in_order(x, y):
    """The sum in the order that csrc/dot.c states, written out."""
    sums = [0.0] * 16
    for i, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        sums[i % 16] += a * b
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [a + b for a, b in zip(sums[:half], sums[half:], strict=True)]
    return sums[0]


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1000, 4099])
def test_a_dot_product_is_added_up_in_one_order(rng, n):
    x, y = rng.normal(size=n), rng.normal(size=n)
    x[: n // 3] *= 1e-9
    assert dot(x, y) == in_order(x, y)
    assert dot(x, y) == dot(y, x)
    exact = math.fsum((x.astype(np.longdouble) * y).tolist())
    assert abs(dot(x, y) - exact) <= (n / 16 + 5) * 2.0**-53 * np.abs(x * y).sum()


# ---- the line search -----------------------------------------------------------------------------


def rational(a):
    """Function 1 of More & Thuente, with beta = 2, and its slope."""
    return -a / (a * a + 2), (a * a - 2) / (a * a + 2) ** 2


def quintic(a):
    """Function 2, with beta = 0.004."""
    b = a + 0.004
    return b**5 - 2 * b**4, 5 * b**4 - 8 * b**3


def wavy(a):
    """Function 3, with beta = 0.01 and l = 39."""
    beta, wave = 0.01, 39 * math.pi / 2
    if a <= 1 - beta:
        value, slope = 1 - a, -1.0
    elif a >= 1 + beta:
        value, slope = a - 1, 1.0
    else:
        value, slope = (a - 1) ** 2 / (2 * beta) + beta / 2, (a - 1) / beta
    value += 2 * (1 - beta) / (39 * math.pi) * math.sin(wave * a)
    return value, slope + (1 - beta) * math.cos(wave * a)


def flat(a, beta=0.001, other=0.001):
    """Function 4, whose slope is nearly 0 but at its ends."""

    def gamma(b):
        return math.sqrt(1 + b * b) - b

    one, two = gamma(beta), gamma(other)
    left, right = math.hypot(1 - a, other), math.hypot(a, beta)
    return one * left + two * right, -one * (1 - a) / left + two * a / right


def steep(a):
    """Function 5, function 4 with other numbers."""
    return flat(a, 0.01, 0.001)


def steep_to_the_right(a):
    """Function 6, likewise."""
    return flat(a, 0.001, 0.01)


# Tables 1 to 6 of the paper: mu and eta, and for the first trials 1e-3, 1e-1, 1e1 and 1e3 how often
# the function is evaluated, the step that is found, and the slope there.
TABLES = {
    rational: (1e-3, 1e-1, [(6, 1.4, -9.2e-3), (3, 1.4, 4.7e-3), (1, 10, 9.4e-3), (4, 37, 7.3e-4)]),
    quintic: (1e-1, 1e-1, [(12, 1.6, 0), (8, 1.6, 0), (8, 1.6, 0), (11, 1.6, 0)]),
    wavy: (1e-1, 1e-1, [(12, 1, -5.1e-5), (12, 1, -1.9e-4), (10, 1, -2e-6), (13, 1, -1.6e-5)]),
    flat: (
        1e-3,
        1e-3,
        [(4, 0.085, -6.9e-5), (1, 0.1, -4.9e-5), (3, 0.35, -2.9e-6), (4, 0.83, 1.6e-5)],
    ),
    steep: (
        1e-3,
        1e-3,
        [(6, 0.075, 1.9e-4), (3, 0.078, 7.4e-4), (7, 0.073, -2.6e-4), (8, 0.076, 4.5e-4)],
    ),
    steep_to_the_right: (
        1e-3,
        1e-3,
        [(13, 0.93, 5.2e-4), (11, 0.93, 8.4e-5), (8, 0.92, -2.4e-4), (11, 0.92, -3.2e-4)],
    ),
}


@pytest.mark.parametrize("function", TABLES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("row", range(4))
def test_evaluations_steps_and_slopes_are_those_of_the_papers_tables(function, row, monkeypatch):
    mu, eta, rows = TABLES[function]
    monkeypatch.setattr(line_search, "_MU", mu)
    monkeypatch.setattr(line_search, "_ETA", eta)
    monkeypatch.setattr(line_search, "_NARROW", 0.0)  # the paper ends at the two conditions alone
    search = LineSearch(*function(0.0), 10.0 ** (2 * row - 3))
    while not search.tell(*function(search.step)):
        assert search.trials < MAX_TRIALS
    evaluations, step, slope = rows[row]
    assert search.trials == evaluations
    assert search.step == pytest.approx(step, rel=0.03)
    # two digits are printed; in table 2 the slopes are 0 but for rounding errors
    assert function(search.step)[1] == pytest.approx(slope, rel=0.03, abs=5e-8)


@pytest.mark.parametrize("step", [1e-3, 1e-1, 1e1, 1e3])
@pytest.mark.parametrize(
    "function", [rational, quintic, wavy, flat, steep, steep_to_the_right], ids=lambda f: f.__name__
)
def test_the_functions_of_the_paper(function, step):
    value, slope = function(0.0)
    search = LineSearch(value, slope, step)
    while not search.tell(*function(search.step)):
        assert search.trials < MAX_TRIALS
    found, at = function(search.step)
    assert search.step > 0
    assert found <= value + 1e-3 * search.step * slope
    # of an interval that is short for its place, any point is taken
    assert abs(at) <= 0.9 * abs(slope) or search.trials > 2


def test_a_slope_that_hardly_falls_goes_a_limited_way_to_the_other_end():
    search = LineSearch(0.0, -1.0, 1.0)
    assert not search.tell(-0.05, 1.0)  # a minimiser is between 0 and 1
    assert search.step == 0.5
    assert not search.tell(-0.3, 0.95)  # lower, where the slopes would reach 0 only below step 0
    assert search.step == pytest.approx(0.5 - 0.66 * 0.5)


@pytest.mark.parametrize(
    ("value", "slope", "enough"),
    [(-0.00101, 0.0, True), (-0.00099, 0.0, False), (-0.5, 0.9, True), (-0.5, -0.91, False)],
)
def test_the_conditions_of_sufficient_decrease_and_curvature(value, slope, enough):
    assert LineSearch(0.0, -1.0, 1.0).tell(value, slope) == enough


def test_extrapolation_goes_at_least_eleven_tenths_of_the_last_stride_on():
    search = LineSearch(0.0, -1.0, 1.0)
    assert not search.tell(-5.0, -10.0)
    assert search.step == 1 + 4 * 1
    assert not search.tell(-25.0, -1.0)  # both the cubic's minimum and the secant's are near 5.4
    assert search.step == pytest.approx(5 + 1.1 * (5 - 1))


def test_a_short_interval_ends_the_search_at_its_best_step():
    search, steps = LineSearch(0.0, -1.0, 1.0), []
    while not search.tell(*((-1.0, -0.95) if search.step == 1 else (-0.9, 5.0))):
        steps.append(search.step)
    *before, shortest, best = steps
    assert best == search.step == 1
    assert shortest - 1 <= 0.1 * shortest
    assert all(step - 1 > 0.1 * step for step in before if step != 1)


def test_a_search_without_a_lower_point_returns_to_its_beginning():
    search = LineSearch(1.0, -1e-12, 1.0)
    while search.step > 0 and not search.tell(2.0, 1.0):
        assert search.trials < MAX_TRIALS
    assert search.step == 0


def test_a_search_along_a_line_without_end_goes_far_and_ends():
    search = LineSearch(0.0, -1.0, 1.0)
    while not search.tell(-search.step, -1.0):
        assert search.trials < 30
    assert search.step == 1e10


# ---- the method ----------------------------------------------------------------------------------


def rosenbrock(x):
    a, b = x[:-1], x[1:]
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * a * (b - a * a) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a * a)
    return float((100 * (b - a * a) ** 2 + (1 - a) ** 2).sum()), gradient


def minimised(function, state, **options):
    method = Lbfgs(state, **options)
    while not method.state.converged:
        method.tell(*function(method.point))
    return method


@pytest.mark.parametrize("seed", range(8))
def test_iterations_evaluations_and_values_are_scipys(seed):
    optimize = pytest.importorskip("scipy.optimize")
    start = np.random.default_rng(seed).normal(size=2)
    theirs = optimize.minimize(rosenbrock, start, jac=True, method="L-BFGS-B")
    ours = minimised(rosenbrock, LbfgsState(start))
    assert (ours.state.iterations, ours.evaluations) == (theirs.nit, theirs.nfev)
    np.testing.assert_allclose(ours.state.x, theirs.x, rtol=1e-6)


def test_it_goes_on_from_any_state_with_the_same_bits():
    start = np.random.default_rng(1).normal(size=30)
    method, states = Lbfgs(LbfgsState(start)), []
    while not method.state.converged:
        if method.tell(*rosenbrock(method.point)):
            states.append(method.state)
    assert len(states) > 40
    assert [len(state.memory) for state in states[:12]] == [*range(1, MEMORY + 1), 10, 10]
    for state in (LbfgsState(start), *states[::7], states[-2], states[-1]):
        again = minimised(rosenbrock, state)
        assert again.state.x.tobytes() == method.state.x.tobytes()
        assert again.state.iterations == method.state.iterations
        assert again.state.evaluations == method.state.evaluations


def test_the_first_step_has_length_one():
    method = Lbfgs(LbfgsState(np.array([30.0, 40.0])))
    assert not method.tell(*bowl(method.point))
    assert np.linalg.norm(method.point - method.state.x) == pytest.approx(1)


def bowl(x):
    return float(0.5 * (x * x).sum()), x.copy()


def test_a_flat_beginning_is_the_end():
    method = Lbfgs(LbfgsState(np.full(3, 1e-6)))
    assert not method.tell(*bowl(method.point))
    assert method.state.converged and method.state.iterations == 0


def test_where_no_point_is_lower_it_forgets_and_then_ends():
    start = np.random.default_rng(1).normal(size=5)
    method = Lbfgs(LbfgsState(start))
    while method.state.iterations < 3:
        method.tell(*rosenbrock(method.point))
    before, (_, gradient) = method.state, rosenbrock(method.state.x)
    told = []
    while not method.state.converged:
        told.append((len(method.state.memory), method.point - before.x))
        assert not method.tell(1e6, -gradient)  # a cliff on every side
    memories = [memory for memory, _ in told]
    assert set(memories) == {3, 0} and memories == sorted(memories, reverse=True)
    assert max(memories.count(3), memories.count(0)) <= MAX_TRIALS
    along = told[memories.count(3)][1]
    np.testing.assert_allclose(along, -gradient)
    np.testing.assert_array_equal(method.point, before.x)
    assert method.state.iterations == 3
    np.testing.assert_array_equal(method.state.x, before.x)


def test_a_memory_that_leads_uphill_is_forgotten():
    ones = np.ones(3)
    state = LbfgsState(np.array([1.0, 2.0, 3.0]), (Pair(ones, -ones, -3.0),), 4, 5)
    method = Lbfgs(state)
    method.tell(*bowl(method.point))
    assert not method.state.memory
    np.testing.assert_array_equal(method.point, 0)  # along the gradient, with step 1


def test_a_step_without_curvature_is_not_remembered():
    method = Lbfgs(LbfgsState(np.array([0.0, 0.0])), gtol=0.0)
    slope = np.array([1.0, 0.0])
    method.tell(0.0, slope)
    while not method.tell(float(method.point @ slope), slope):
        pass  # along a line without end
    assert method.state.memory == ()
    assert method.state.x[0] <= -1e9
