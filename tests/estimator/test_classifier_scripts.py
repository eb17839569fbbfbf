"""SigmaxClassifier in scripts for MLPClassifier: assignments, few rows, mistakes."""

import numpy as np
import pytest
import sigmax

pytest.importorskip("sklearn")

from sigmax import SigmaxClassifier, TrainingWarning
from test_classifier import three_classes, unconverged


@unconverged
def test_coefs_and_intercepts_can_be_assigned(rng):
    X, y = three_classes(rng)
    a, b = (SigmaxClassifier((4,), max_iter=2, random_state=s).fit(X, y) for s in (0, 1))
    coefs, views = [2.0 * w for w in a.coefs_], b.coefs_
    b.coefs_, b.intercepts_ = coefs, a.intercepts_
    for view, value in zip(views, coefs, strict=True):  # the network's own memory, as before
        np.testing.assert_array_equal(view, value)
    a.network_.parameters[:] = b.network_.parameters
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    before = b.network_.parameters.copy()
    with pytest.raises(ValueError, match=r"coefs_ has shapes \[\(5, 4\)\]; expected \[\(5, 4\), "):
        b.coefs_ = [0.0 * coefs[0]]
    with pytest.raises(ValueError, match="intercepts_ has shapes"):
        b.intercepts_ = [np.zeros(4), np.zeros(2)]
    np.testing.assert_array_equal(b.network_.parameters, before)
    with pytest.raises(AttributeError, match="before fit"):
        SigmaxClassifier().coefs_ = coefs


@unconverged
@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_number_is_the_weight_of_all_rows(rng, early_stopping):
    X, y = three_classes(rng)
    settings = {"max_iter": 3, "random_state": 0, "early_stopping": early_stopping}
    a = SigmaxClassifier((4,), **settings).fit(X, y, sample_weight=3.0)
    b = SigmaxClassifier((4,), **settings).fit(X, y, sample_weight=np.full(len(X), 3.0))
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)
    with pytest.raises(ValueError, match="sample_weight, row 0: nan"):
        a.fit(X, y, sample_weight=np.nan)


@unconverged
def test_few_rows_are_held_out_as_they_come(rng):
    # Two rows cannot have a share of each of three classes: MLPClassifier then takes any two.
    X, y = three_classes(rng, rows=20)
    classifier = SigmaxClassifier((4,), early_stopping=True, max_iter=2, random_state=0).fit(X, y)
    assert set(2 * np.array(classifier.validation_scores_)) <= {0.0, 1.0, 2.0}
    assert classifier.t_ == 2 * 18
    X, y = three_classes(rng, rows=60)
    y[0] = "dog"  # the only one
    SigmaxClassifier((4,), early_stopping=True, max_iter=2, random_state=0).fit(X, y)


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.0, "validation_fraction is 0.0; expected a finite number > 0"),
        (0.001, "validation_fraction is 0.001, which holds out 1 of 120 rows"),
        (0.999, "validation_fraction is 0.999, which holds out 120 of 120 rows"),
    ],
)
def test_a_share_that_cannot_be_held_out(rng, fraction, words):
    X, y = three_classes(rng)
    with pytest.raises(ValueError, match=words):
        SigmaxClassifier((4,), early_stopping=True, validation_fraction=fraction).fit(X, y)


@pytest.mark.parametrize("given", [-1, "a", np.random.default_rng(0), 0.5])
def test_a_random_state_that_is_none(rng, given):
    X, y = three_classes(rng)
    with pytest.raises(ValueError, match=r"random_state is .*; expected an integer from 0"):
        SigmaxClassifier((4,), random_state=given).fit(X, y)


def test_a_missing_label_is_refused_without_a_warning(rng, recwarn):
    X, _ = three_classes(rng)
    y = np.arange(len(X)) % 3.0
    y[5] = np.nan
    with pytest.raises(ValueError, match="y contains NaN"):
        SigmaxClassifier((4,)).fit(X, y)
    assert not recwarn.list


def test_training_that_learns_nothing_says_so_in_the_words_of_the_classifier(rng):
    X, y = three_classes(rng)
    y = y[rng.permutation(len(y))]
    stalled = SigmaxClassifier((4,), solver="sgd", learning_rate_init=1e-7, max_iter=50, alpha=1)
    with pytest.warns(TrainingWarning) as seen:
        stalled.fit(X, y)
    text = str(seen[0].message)
    assert stalled.n_iter_ < 50  # ended by its own rule, and not by max_iter
    assert "stalled" in text
    for words in ("solver='adam'", "learning_rate_init (it was 1e-07)", "less alpha, "):
        assert words in text
    network = sigmax.Network([5, 4, 3], seed=0)  # other callers keep their own words
    with pytest.warns(TrainingWarning, match=r" learning_rate \(it was 1e-07\)"):
        network.fit(X, np.arange(len(X)) % 3, learning_rate=1e-7, epochs=20, batch_size=1000)
