"""All imports of scikit-learn: names that differ between its releases, and its absence."""

from __future__ import annotations

import contextlib
from copy import copy
from typing import Any

import numpy as np

from sigmax._boundary.arrays import (
    SOFT_LABEL_TOLERANCE,
    as_numbers,
    is_sparse,
    mask_of,
    not_finite,
)
from sigmax._boundary.frames import column_names, require_no_dates
from sigmax._estimator.labels import require_one_kind

try:
    from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]
    from sklearn.utils import check_random_state, column_or_1d  # type: ignore[import-untyped]
    from sklearn.utils.metaestimators import available_if  # type: ignore[import-untyped]
    from sklearn.utils.multiclass import (  # type: ignore[import-untyped]
        check_classification_targets,
        type_of_target,
    )
    from sklearn.utils.validation import (  # type: ignore[import-untyped]
        check_array,
        check_is_fitted,
        check_X_y,
    )
except ImportError as error:
    raise ImportError(
        "SigmaxClassifier needs scikit-learn: pip install 'sigmax[sklearn]'"
    ) from error

try:
    from sklearn.utils.validation import validate_data

    def _note_columns(estimator: Any, X: Any, reset: bool) -> None:
        """Note number and names of X's columns, or compare them."""
        validate_data(estimator, X=X, reset=reset, skip_check_array=True)

    _FINITE = "ensure_all_finite"
except ImportError:  # before 1.6 these are methods of the estimator

    def _note_columns(estimator: Any, X: Any, reset: bool) -> None:
        estimator._check_feature_names(X, reset=reset)
        estimator._check_n_features(X, reset=reset)

    _FINITE = "force_all_finite"

COLUMNS = ("n_features_in_", "feature_names_in_")  # which fit takes from X

__all__ = [
    "COLUMNS",
    "BaseEstimator",
    "ClassifierMixin",
    "ConvergenceWarning",
    "available_if",
    "check_examples",
    "check_is_fitted",
    "check_rows",
    "check_validation",
    "random_state",
    "train_test_split",
]


def check_rows(estimator: Any, X: object, dtype: Any, *, allow_nan: bool, name: str = "X") -> Any:
    """Return X as an array or CSR matrix (n, estimator.n_features_in_), checked.

    Column names are compared with those of fit. Rows of numbers stay in their own dtype, for the
    network converts them in blocks; sparse rows get dtype.
    """
    wanted = dtype if is_sparse(X) else None
    return _validated(estimator, X, wanted, allow_nan, name, reset=False)


def check_examples(
    estimator: Any, X: object, y: object, dtype: Any, *, reset: bool, allow_nan: bool
) -> tuple[Any, Any, dict[str, Any]]:
    """Return X in C order, or as CSR, y as an array (n,) of class labels, and COLUMNS.

    dtype may be several: the first is the one to convert to when X has none of them. reset takes
    COLUMNS from X, otherwise X is compared with those that the estimator has. It is not changed:
    what follows may be refused yet.
    """
    if y is not None:
        require_one_kind(y)
        # first, because the array checks would only say that y has two dimensions
        _require_one_class_per_row(y, "y")
    twin = copy(estimator)
    X, y = _validated(twin, X, dtype, allow_nan, "X", y=y, reset=reset)
    check_classification_targets(y)
    return X, y, {name: vars(twin)[name] for name in COLUMNS if name in vars(twin)}


def check_validation(
    estimator: Any, X_val: Any, y_val: Any, columns: dict[str, Any], dtype: Any
) -> tuple[Any, Any]:
    """Return X_val as `check_rows` does X, and y_val as an array (n,) of class labels.

    columns are the COLUMNS of the X of this call of fit, with which X_val is compared, whatever the
    estimator has so far. Errors name X_val and y_val.
    """
    require_one_kind(y_val, "y_val")
    _require_one_class_per_row(y_val, "y_val")
    twin = copy(estimator)
    for name in COLUMNS:
        vars(twin).pop(name, None)
    vars(twin).update(columns)
    try:
        X_val = check_rows(twin, X_val, dtype, allow_nan=estimator.nan == "mean", name="X_val")
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith("X_val") else f"X_val: {text}") from None
    try:
        labels = column_or_1d(y_val, warn=True)
    except ValueError as error:
        raise ValueError(str(error).replace("y should", "y_val should", 1)) from None
    if len(labels) != X_val.shape[0]:
        raise ValueError(
            f"y_val has {len(labels)} rows; expected one class for each of the {X_val.shape[0]} "
            "rows of X_val"
        )
    return X_val, labels


def random_state(given: Any) -> Any:
    """Return a numpy.random.RandomState for an integer, a RandomState or None."""
    try:
        return check_random_state(given)
    except ValueError as error:
        raise ValueError(
            f"random_state is {given!r}; expected an integer from 0 to 2**32 - 1, a "
            "numpy.random.RandomState or None"
        ) from error


def _require_one_class_per_row(y: object, name: str) -> None:
    """Raise ValueError for several columns, saying what the rows are."""
    dense = y.toarray() if is_sparse(y) else np.asarray(y)  # type: ignore[attr-defined]
    if dense.dtype == object and dense.ndim == 2:
        with contextlib.suppress(TypeError, ValueError):  # text
            dense = as_numbers(dense, name)
    kind = _kind_of_target(y if is_sparse(y) else dense)
    if not (kind.startswith("multilabel") or kind.endswith("multioutput")):
        return
    if dense.ndim == 2 and dense.dtype.kind in "biuf" and (dense >= 0).all():
        if ((dense == 1).sum(axis=1) == 1).all() and (dense.sum(axis=1) == 1).all():
            call = f"{name}.argmax(axis=1)"
            if not isinstance(y, np.ndarray):
                call = f"{name}.toarray()" if is_sparse(y) else f"numpy.asarray({name})"
                call += ".argmax(axis=1)"
            raise ValueError(
                f"{name} is one-hot, {dense.shape}, with a single 1 in each row; expected one "
                f"class per row, ({len(dense)},): {call}"
            )
        if (np.abs(dense.sum(axis=1, dtype=np.float64) - 1) <= SOFT_LABEL_TOLERANCE).all():
            raise ValueError(
                f"{name} has probabilities, {dense.shape}, which sum to 1 in each row; expected "
                f"one class per row, ({len(dense)},). sigmax.Network.fit trains on such soft labels"
            )
    raise ValueError(
        f"{name} is {kind}; expected one class per row, (n,): softmax gives a row one class. "
        "sklearn.multioutput.MultiOutputClassifier fits one classifier per column"
    )


def _kind_of_target(y: object) -> str:
    try:
        with np.errstate(invalid="ignore"):  # a NaN, which the array checks report by name
            kind: str = type_of_target(y)
    except ValueError:
        return "unknown"
    return kind


def _may_be_text(X: object) -> bool:
    """Return False for dates, and for masked entries, behind which scikit-learn would look."""
    try:
        kind = np.asarray(X).dtype.kind
    except (TypeError, ValueError):  # what is no array, scikit-learn says in its own words
        return True
    return kind not in "mM" and mask_of(X) is None


def _validated(
    estimator: Any, X: Any, dtype: Any, allow_nan: bool, name: str, *, reset: bool, **y: Any
) -> Any:
    """Return X, or X and y, checked by scikit-learn; the columns of X are noted or compared.

    Where dtype is None, numbers stay what they are.
    """
    names = column_names(X, name)
    require_no_dates(X, name, names)
    numbers, problem = X, None
    if not is_sparse(X):
        try:
            numbers = as_numbers(X, name, missing_allowed=allow_nan, columns=names)
        except TypeError as error:  # scikit-learn takes numbers that are written as text
            if not _may_be_text(X):
                raise
            problem = error
            dtype = np.float64 if dtype is None else dtype
    checks = {"accept_sparse": "csr", "dtype": dtype, "estimator": estimator}
    checks |= {"order": None if dtype is None else "C", _FINITE: "allow-nan" if allow_nan else True}
    try:
        if "y" in y:
            checked = check_X_y(numbers, y["y"], **checks)
        else:
            checked = check_array(numbers, input_name="X", **checks)
    except (TypeError, ValueError) as error:
        if problem is not None and type(error).__name__ == "DTypePromotionError":
            raise problem from None
        if problem is not None and "float" in str(error):
            raise type(error)(f"{problem} ({error})") from None
        if not str(error).startswith(("Input X contains NaN", "Input X contains infinity")):
            raise
        sparse = X.tocoo() if is_sparse(X) else None
        values = np.asarray(numbers, np.float64) if sparse is None else sparse.data
        bad = np.argwhere(np.isinf(values) if allow_nan else ~np.isfinite(values)).tolist()
        if not bad:  # too large for the dtype
            raise
        at = tuple(bad[0])
        place = at if sparse is None else (sparse.row[at], sparse.col[at])
        if names is not None and len(place) == 2:
            place = place[0], names[place[1]]
        hint = ", or nan='mean' to fill in the mean for NaN" if np.isnan(values[at]) else ""
        raise ValueError(f"{not_finite(name, place, values[at], values.dtype)}{hint}") from None
    is_frame = names is not None or hasattr(X, "__dataframe__")
    _note_columns(estimator, X if is_frame else checked[0] if "y" in y else checked, reset)
    return checked
