"""What goes in: categories, gaps, measurement errors, embeddings, backbones, weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sfumato import MDNRegressor, read_model, read_pdfs, write_model, write_pdfs
from sfumato.errors import DataError, IncompatibleError, ShapeError
from sfumato.networks.architecture import Architecture
from sfumato.networks.embeddings import BinEmbedding, bin_edges
from sfumato.preprocessing.measurement import disturbed, excess_factors, noise_factors
from sfumato.preprocessing.table import TableFeatures, encode, find_levels
from sfumato.preprocessing.unseen import Unseen

RNG = np.random.default_rng(12)
SMALL = {"hidden_sizes": (16,), "n_members": 2, "n_components": 1, "max_epochs": 30}


def frame(n=400, *, with_gaps=True):
    colour = RNG.choice(["red", "green", "blue"], n)
    size = RNG.normal(size=n)
    if with_gaps:
        size[::7] = np.nan
    y = (colour == "red") * 2.0 + np.nan_to_num(size, nan=-3.0) + 0.1 * RNG.normal(size=n)
    return pd.DataFrame({"size": size, "colour": pd.Categorical(colour)}), y


@pytest.mark.slow
def test_words_and_gaps_are_learnt_and_survive_a_file(tmp_path):
    table, y = frame()
    model = MDNRegressor(missing="flag", random_state=0, **{**SMALL, "max_epochs": 60})
    model.fit(table, y)
    assert model.architecture_.category_sizes == (4,)
    assert model.architecture_.n_flags == 1
    # noise of 0.1, and a signal of deviation 1.8: both columns must have been used
    assert np.sqrt(np.mean((model.predict(table) - y) ** 2)) < 0.5
    strange = table.copy()
    strange["colour"] = "mauve"
    with pytest.warns(UserWarning, match="levels of colour that training never saw"):
        assert np.all(np.isfinite(model.predict(strange)))
    write_model(model, tmp_path / "m")
    np.testing.assert_array_equal(read_model(tmp_path / "m").predict(table), model.predict(table))


@pytest.mark.slow
def test_codes_in_plain_arrays_are_categories_by_index():
    x = np.stack([RNG.integers(0, 30, 500), RNG.normal(size=500)], axis=1)
    effect = RNG.normal(size=30)
    y = effect[x[:, 0].astype(int)] + 0.1 * RNG.normal(size=500)
    model = MDNRegressor(categorical=[0], random_state=0, **{**SMALL, "max_epochs": 80}).fit(x, y)
    assert model.architecture_.category_sizes == (31,)
    assert np.sqrt(np.mean((model.predict(x) - y) ** 2)) < 0.5 * y.std()


def test_a_level_is_the_same_in_any_type_of_column():
    table = pd.DataFrame({"k": [1, 2, 1, 2]})
    levels = find_levels(table, ["k"])
    expected = encode(table, levels)
    for other in (table.astype(float), table.astype(str), table.to_numpy(), table.astype(object)):
        np.testing.assert_array_equal(encode(other, levels), expected)


@pytest.mark.slow
def test_predictions_with_errors_do_not_depend_on_neighbours_or_touch_categories():
    table, y = frame()
    table["size"] = table["size"].fillna(0)
    model = MDNRegressor(random_state=0, **SMALL).fit(table, y)
    errors = np.tile([0.3, 1.0], (len(table), 1))
    every = model.predict_pdfs(table, X_err=errors).mean()
    some = model.predict_pdfs(table[3:5], X_err=errors[3:5]).mean()
    np.testing.assert_allclose(every[3:5], some, rtol=1e-5)
    plain = model.predict_pdfs(table, X_err=np.tile([0.3, 0.0], (len(table), 1))).mean()
    np.testing.assert_allclose(every, plain, rtol=1e-5)


def test_encoding_by_hand():
    table = pd.DataFrame({"a": [1.0, None], "b": ["x", None], "c": [True, False]})
    levels = find_levels(table, "auto")
    assert levels == {1: ["x"], 2: ["false", "true"]}
    encoded = encode(table, levels)
    np.testing.assert_array_equal(encoded[:, 1:], [[1, 2], [np.nan, 1]])
    assert np.isnan(encoded[1, 0])
    features = TableFeatures(3, ((1, 1), (2, 2))).fit(encoded)
    out = np.asarray(features(jnp.asarray(encoded.T)))
    assert features.flags == (0,)
    np.testing.assert_array_equal(out[1:], [[0, 1], [0, 1], [1, 0], [0, 0], [0, 1], [1, 0]])
    assert TableFeatures.from_dict(features.to_dict()).flags == (0,)
    (gaps,) = features.new_gaps(np.full((2, 3), np.nan))
    np.testing.assert_array_equal(gaps.where, [[False, False, True]] * 2)


@pytest.mark.slow
@pytest.mark.parametrize("column", ["size", "colour"])
def test_a_gap_where_training_had_none_is_refused_or_said(column):
    table, y = frame(with_gaps=False)
    gappy = table.copy()
    gappy.loc[[3, 7], column] = None
    strict = MDNRegressor(**SMALL).fit(table, y)
    what = "NaN" if column == "size" else "nothing"
    for call in (strict.predict, lambda rows: MDNRegressor(**SMALL).fit(rows, y)):
        with pytest.raises(ValueError, match=f"contains {what} in {column}, row 4. Fill it, or"):
            call(gappy)
    flagging = MDNRegressor(missing="flag", **SMALL).fit(table, y)
    message = f"2 rows have no {column}, which every training row had: their distributions are a"
    with pytest.warns(Unseen, match=message):
        flagging.predict(gappy)
    learnt = MDNRegressor(missing="flag", **SMALL).fit(gappy, y)
    learnt.predict(gappy)  # warns of nothing


def test_models_of_earlier_versions_take_gaps_of_categories():
    stored = TableFeatures(2, ((1, 3),), flags=(0,)).to_dict()
    stored.pop("blanks")
    gaps = np.array([[np.nan, np.nan]])
    (found,) = TableFeatures.from_dict(stored).new_gaps(gaps)
    assert not found.where.any()


def test_bad_columns_are_named():
    table, y = frame()
    with pytest.raises(DataError, match="column 'shape', which does not exist; there are: size"):
        MDNRegressor(categorical=["shape"]).fit(table, y)
    with pytest.raises(DataError, match="Column 'colour' holds words"):
        encode(table, {})
    with pytest.raises(
        ValueError, match=r"contains NaN in size, row 1\. Fill it, or use missing='flag'"
    ):
        MDNRegressor().fit(table, y)
    with pytest.raises(IncompatibleError, match="either `features` or `categorical`"):
        MDNRegressor(features=TableFeatures(2), categorical=[1]).fit(table, y)


@pytest.mark.slow
def test_a_column_transformer_in_front_works():
    table, y = frame()
    table["size"] = table["size"].fillna(0)
    front = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["size"]))
    pipe = make_pipeline(front, MDNRegressor(random_state=0, **SMALL)).fit(table, y)
    assert pipe[-1].predict_pdfs(front.transform(table)).n_members == 2


# -- embeddings and backbones ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("embedding", "backbone"),
    [
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in [
                ("none", "mlp"),
                ("piecewise-linear", "residual"),
                ("periodic", "mlp"),
                ("piecewise-linear", "mlp"),
                ("none", "residual"),
                ("periodic", "residual"),
            ]
        ),
    ],
)
def test_every_front_and_backbone_learns_survives_and_has_a_gradient(embedding, backbone, tmp_path):
    x = RNG.uniform(-1, 1, (200, 2))
    y = np.sin(5 * x[:, 0]) + 0.05 * RNG.normal(size=len(x))
    model = MDNRegressor(
        embedding=embedding,
        backbone=backbone,
        random_state=0,
        hidden_sizes=(24, 24),
        n_members=1,
        n_components=1,
        max_epochs=60,
        learning_rate=1e-2,
        batch_size=50,
        dropout_rate=0.0,
    ).fit(x, y)
    assert np.sqrt(np.mean((model.predict(x) - y) ** 2)) < 0.55  # the targets deviate by 0.72
    write_model(model, tmp_path / "m")
    np.testing.assert_array_equal(read_model(tmp_path / "m").predict(x), model.predict(x))
    architecture = model.architecture_
    member = architecture.build(model.family_, bias=np.zeros(3), key=jax.random.key(1))
    inputs = model.network_.inputs
    slope = jax.grad(lambda v: member(inputs(v))["loc"].sum())(jnp.array([[0.3], [-0.2]]))
    assert np.all(np.isfinite(slope))
    assert np.any(np.asarray(slope) != 0)


def test_piecewise_linear_features_by_hand():
    layer = BinEmbedding.between(((0.0, 1.0, 3.0), (5.0,)))
    # through all of the first bin and half of the second; -1 is not at all, 1 all the way
    np.testing.assert_allclose(layer(jnp.array([2.0, 7.0])), [2.0, 7.0, 1.0, 0.0])
    # beyond the edges on in a straight line, to a bin's width
    np.testing.assert_allclose(layer(jnp.array([-0.5, 0.0]))[2:], [-2.0, -1.0])
    np.testing.assert_allclose(layer(jnp.array([99.0, 0.0]))[2:], [1.0, 3.0])
    x = np.stack([RNG.integers(0, 5, 400), RNG.normal(size=400)], axis=1).astype(float)
    x = np.column_stack([x, np.repeat(np.arange(100.0), 4)])
    edges = bin_edges(x)
    assert edges[0] == (0.0, 1.0, 2.0, 3.0, 4.0)
    np.testing.assert_allclose(edges[1], np.quantile(x[:, 1], np.linspace(0, 1, 7)), rtol=1e-6)
    assert len(edges[2]) == 33


def test_an_architecture_survives_its_dictionary():
    from dataclasses import asdict

    one = Architecture(2, hidden_sizes=(3, 4), category_sizes=(5,), edges=((0.0, 1.0), (0.0, 2.0)))
    assert Architecture.from_dict(asdict(one)) == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "cnn"}, "`backbone` must be one of 'mlp', 'residual'"),
        ({"embedding": "wavelet"}, "`embedding` must be one of 'none', 'periodic'"),
        ({"missing": "drop"}, "`missing` must be one of 'error', 'flag'"),
        ({"n_components": 500}, "`n_components` is 500, more than the 400 rows"),
        ({"family": "binomial"}, "The family 'binomial' needs `trials`"),
        ({"trials": 0}, "`trials` must be an integer of at least 1; got 0"),
        ({"family": "gamma", "recalibrate": True}, "`recalibrate` is for the families 'normal'"),
        ({"family": "truncated-normal", "bounds": (3.0, 1.0)}, "`bounds` must increase"),
    ],
)
def test_new_parameters_are_checked(change, message):
    x = RNG.normal(size=(400, 1))
    y = np.abs(x[:, 0].round(1)) + 1
    y = y.round() if change.get("family") == "binomial" else y
    with pytest.raises(ValueError, match=message):
        MDNRegressor(**change).fit(x, y)


# -- measurement errors ----------------------------------------------------------------------------


@pytest.mark.slow
def test_noise_widens_predictions_as_it_must():
    # y = 2 x + N(0, 0.3^2), x spread far wider than its errors: with errors s in x the answer is
    # Normal with variance 0.3^2 + 4 s^2
    x = RNG.uniform(-5, 5, (3000, 1))
    y = 2 * x[:, 0] + 0.3 * RNG.normal(size=3000)
    options = {**SMALL, "hidden_sizes": (32,), "max_epochs": 40, "learning_rate": 1e-2}
    places = np.linspace(-3, 3, 7)[:, None]
    clean = MDNRegressor(random_state=0, **options).fit(x, y)
    noisy = MDNRegressor(random_state=0, **options).fit(x, y, X_err=np.full(1, 0.4))
    # averages of 64 draws, and what 3,000 rows teach of a width
    for model, error, expected in (
        (clean, None, 0.3),
        (clean, 0.4, np.hypot(0.3, 0.8)),
        (noisy, None, np.hypot(0.3, 0.8)),
        (noisy, 0.4, np.hypot(0.3, 0.8)),
        (noisy, 0.8, np.hypot(0.3, 1.6)),
    ):
        errors = None if error is None else np.full((7, 1), error)
        std = model.predict_pdfs(places, X_err=errors, n_draws=64).std()
        assert np.median(std) == pytest.approx(expected, rel=0.2), (error, expected)


def test_correlated_noise_is_drawn_with_its_covariance():
    covariance = np.array([[0.5, 0.4], [0.4, 0.5]])
    factors = noise_factors(np.tile(covariance, (4000, 1, 1)), shape=(4000, 2))
    drawn = disturbed(jnp.zeros((2, 4000)), jnp.asarray(factors), key=jax.random.key(0))
    np.testing.assert_allclose(np.cov(np.asarray(drawn)), covariance, atol=5 / np.sqrt(4000))
    trained = np.diag([0.1, 0.1])
    rest = excess_factors(factors[:1], trained)[0]
    np.testing.assert_allclose(rest @ rest.T, covariance - trained, atol=1e-9)
    assert np.all(excess_factors(factors[:1], 4 * covariance) == 0)
    plain = excess_factors(np.array([[0.5, 0.1]]), np.diag([0.09, 0.09]))
    np.testing.assert_allclose(plain, [[0.4, 0.0]])


def test_bad_measurement_errors_are_named():
    x, y = RNG.normal(size=(50, 2)), RNG.normal(size=50)
    with pytest.raises(ShapeError, match=r"`X_err` must have shape \(50, 2\).*got \(3,\)"):
        MDNRegressor().fit(x, y, X_err=np.ones(3))
    negative = np.ones((50, 2))
    negative[4, 1] = -1
    with pytest.raises(ValueError, match=r"`X_err` is -1 in row 5, column 2"):
        MDNRegressor().fit(x, y, X_err=negative)
    singular = np.tile(np.eye(2), (50, 1, 1))
    singular[7] = [[1, 2], [2, 1]]
    with pytest.raises(ValueError, match="of row 8 is not symmetric and positive definite"):
        MDNRegressor().fit(x, y, X_err=singular)


# -- priors on the targets -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_fitted_model_knows_its_training_prior(tmp_path):
    # y ~ N(0, 1), x = y + N(0, 1): under a flat prior the posterior is N(x, 1)
    y = RNG.normal(size=6000)
    x = (y + RNG.normal(size=6000))[:, None]
    model = MDNRegressor(random_state=0, **{**SMALL, "max_epochs": 30, "learning_rate": 1e-2}).fit(
        x, y
    )
    places = np.array([[-0.8], [0.0], [0.8]])
    pdfs = model.predict_pdfs(places)
    np.testing.assert_allclose(pdfs.mean(), places[:, 0] / 2, atol=0.12)
    flat = pdfs.reweight(np.ones_like, grid=np.linspace(-3, 3, 801))
    np.testing.assert_allclose(flat.mean(), places[:, 0], atol=0.3)
    given = pdfs.reweight(np.ones_like, training_prior=y, grid=np.linspace(-3, 3, 801))
    np.testing.assert_allclose(given.mean(), flat.mean(), atol=0.05)
    write_pdfs(pdfs, tmp_path / "p.parquet", precision=32)
    stored = read_pdfs(tmp_path / "p.parquet").reweight(np.ones_like, grid=np.linspace(-3, 3, 801))
    np.testing.assert_allclose(stored.mean(), flat.mean(), atol=1e-4)
    unknown = pdfs.to_grid()
    with pytest.raises(ValueError, match="needs predictions of a fitted regressor"):
        unknown.reweight(np.ones_like)
