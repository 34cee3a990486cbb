"""From a user's rows to checked arrays, with a word on what looks like something else."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from sfumato._typing import Arguments
from sfumato.errors import IncompatibleError
from sfumato.estimators.codes import codes_of
from sfumato.estimators.rows import count_known
from sfumato.networks.density import Network
from sfumato.preprocessing.column_units import other_units
from sfumato.preprocessing.features import NewGaps
from sfumato.preprocessing.frames import read_frame, unmasked
from sfumato.preprocessing.missing import codes_in, warn_of_codes
from sfumato.preprocessing.table import Levels, encode, find_levels
from sfumato.preprocessing.unseen import Unseen

_FEW_FOR_CODES = 50
"""Rows in which a value that is repeated says little."""


class CheckedInput(BaseEstimator):
    """Reads rows, and keeps what is to be known of them when others come."""

    # set by fit
    network_: Network
    levels_: Levels
    codes_: dict[int, list[float]]
    column_units_: dict[str, str]

    # see `name_columns`
    _names: tuple[str, ...] | None = None
    _target_names: tuple[str, ...] = ()

    def name_columns(self, features: Sequence[str], targets: Sequence[str] = ()) -> Self:
        """Give the columns of arrays names, which warnings then use; a frame has its own."""
        self._names, self._target_names = tuple(features), tuple(targets)
        return self

    def _name_of(self, column: int) -> str:
        """What a message calls a column of features."""
        names = vars(self).get("feature_names_in_", self._names)
        return f"column {column}" if names is None else str(names[column])

    @property
    def _options(self) -> Arguments:
        return self.get_params(deep=False)

    @property
    def allows_gaps(self) -> bool:
        """Whether features may be missing."""
        options = self._options
        return options["features"] is not None or options["missing"] == "flag"

    def _checked_rows(
        self, X: ArrayLike, *, reset: bool, trained: bool = True, told: bool = True
    ) -> np.ndarray:
        """Features as numbers (n, c), words encoded; the names and number of columns are kept.

        In double precision and the user's units; `units_` take over from there.

        Parameters
        ----------
        reset : whether X is what the estimator is about to be fitted to.
        trained : whether it has been fitted, so that gaps may be new.
        told : whether units, words and gaps that training had not are named.
        """
        frame, given = read_frame(X), cast(Any, unmasked(X))  # no word, as the default is
        if reset:
            self.levels_ = find_levels(X, self._options["categorical"])
        if told:
            self._compare_units({} if frame is None else frame.units, reset=reset)
        known = not reset and trained and told
        options: Arguments = {
            "dtype": np.float64,
            "ensure_all_finite": not (self.allows_gaps or self.levels_),
            "ensure_min_samples": 2 if reset else 1,
        }
        if frame is None and not self.levels_:
            rows = cast(np.ndarray, validate_data(self, given, reset=reset, **options))
            # without leave for gaps scikit-learn has looked for them already
            return self._with_known_gaps(rows, known=known) if self.allows_gaps else rows
        named = given if frame is None else frame.header()
        validate_data(self, named, reset=reset, skip_check_array=True)
        numbers = encode(X, self.levels_, self._name_of, told=told)
        rows = self._with_known_gaps(numbers, known=known)
        return check_array(rows, input_name="X", **options)

    def _checked_validation(
        self,
        validation: tuple[ArrayLike, ArrayLike] | None,
        groups: ArrayLike | None,
        rows_of_training: np.ndarray,
    ) -> tuple[np.ndarray, ArrayLike] | None:
        """Rows to hold out, checked, and their targets, which have yet to be.

        That rows of training are among them is said, and what has no effect beside them.

        Raises
        ------
        ValueError, IncompatibleError
            It is no pair of as many rows as targets, or there are `groups` too.
        """
        if validation is None:
            return None
        if groups is not None:
            message = "`groups` say what to hold out, and so does `validation`"
            raise IncompatibleError(f"{message}. Give one of them.")
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ValueError("`validation` must be a pair, of rows X and their targets y.")
        rows = self._checked_rows(validation[0], reset=False, trained=False)
        check_consistent_length(rows, validation[1])
        if (n_known := count_known(rows, rows_of_training)) > 0:
            message = f"{n_known:,} of {len(rows):,} rows of `validation` are rows of training too"
            warnings.warn(
                f"{message}: what is learnt by heart is not seen there. Leave them out of one.",
                stacklevel=3,
            )
        if self._options["validation_fraction"] is not None:
            message = "`validation_fraction` has no effect beside `validation`"
            warnings.warn(f"{message}, whose rows are held out.", stacklevel=3)
        return rows, validation[1]

    def _with_known_gaps(self, rows: np.ndarray, *, known: bool) -> np.ndarray:
        """Features (n, c), whose gaps are refused, or named where training had none."""
        features = self.network_.inputs.features if known else None
        all_gaps = [NewGaps(~np.isfinite(rows))] if features is None else features.new_gaps(rows)
        for gaps, told in all_gaps:
            for index in map(int, np.flatnonzero(gaps.any(axis=0))):
                name = self._name_of(index)
                if self.allows_gaps and features is not None:
                    warnings.warn(Unseen(name, int(gaps[:, index].sum()), gap=told), stacklevel=4)
                elif not self.allows_gaps:
                    row = int(np.argmax(gaps[:, index]))
                    what = "NaN" if np.isnan(rows[row, index]) else "infinity"
                    what = "nothing" if index in self.levels_ else what
                    message = f"X contains {what} in {name}, row {row + 1}"
                    raise ValueError(f"{message}. Fill it, or use missing='flag'.")
        return rows

    def _compare_units(self, stated: Mapping[str, str], *, reset: bool) -> None:
        """Keep the units that a table states of its columns, or say which are others now."""
        if reset:
            self.column_units_ = dict(stated)
        elif other := other_units(self.column_units_, stated):
            message = (
                f"{', '.join(other)} in training. Nothing is converted: bring them to one unit"
            )
            warnings.warn(f"{message}.", stacklevel=4)

    def _warn_of_codes(self, X: np.ndarray, y: np.ndarray) -> None:
        """Name what looks like a code for a missing value and is about to be learnt from."""
        targets = y.reshape(len(y), -1).T
        names = self._target_names or [
            f"target {i}" if len(targets) > 1 else "the target" for i in range(len(targets))
        ]
        features = self._options["features"]
        if features is not None and (doubt := features.doubt(X)):
            warnings.warn(doubt, stacklevel=3)
        codes = {i: c for i, c in codes_of(features, X).items() if i not in self.levels_}
        found = warn_of_codes(
            [
                *((self._name_of(i), c, len(X)) for i, c in codes.items()),
                *((n, codes_in(t, nines=9.0), len(t)) for n, t in zip(names, targets, strict=True)),
            ],
            cure="If it means that nothing was measured, make it NaN or leave the rows out.",
            stacklevel=3,
        )
        self.codes_ = {i: found[self._name_of(i)] for i in codes if self._name_of(i) in found}

    def warn_of_new_codes(self, X: np.ndarray, names: Mapping[int, str]) -> set[int]:
        """Name values in features (n, c) that look like codes and that training did not have.

        Parameters
        ----------
        names : of the columns that are looked at, by their places.

        Returns
        -------
        The places of those that have some.
        """
        if len(X) < _FEW_FOR_CODES:
            return set()
        known = {name: self.codes_.get(place, []) for place, name in names.items()}
        codes = codes_of(self.network_.inputs.features, X)
        found = warn_of_codes(
            [(name, codes[place], len(X)) for place, name in names.items()],
            cure="The model has not seen it: if nothing was measured, make it NaN.",
            known=known,
            stacklevel=3,
        )
        return {p for p, name in names.items() if set(found.get(name, ())) - set(known[name])}

    def doubt(self, X: np.ndarray) -> str | None:
        """What makes features (n, c) look as if they held something else than the fitted ones."""
        features = self.network_.inputs.features
        return None if features is None else features.doubt(X)
