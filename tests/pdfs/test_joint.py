"""Vector targets: joint densities, draws, marginals and conditionals."""

import numpy as np
import pytest
from scipy import stats

from cases import VECTOR, bound, parameters_of
from sfumato import JointPDFs, MDNRegressor, concatenate, read_pdfs, write_pdfs
from sfumato.errors import DataError, IncompatibleError, ShapeError
from sfumato.families import MixtureFamily
from sfumato.metrics.evaluation import evaluate_joint
from sfumato.pdfs import summarise

RNG = np.random.default_rng(8)


def joint(name, *, n=3, members=2, k=2, seed=1):
    component = bound(name)
    params = {
        key: v.reshape(n, members, k, *v.shape[1:])
        for key, v in zip(
            component.parameters, parameters_of(name, n=n * members * k, seed=seed), strict=True
        )
    }
    weights = np.log(np.random.default_rng(seed).dirichlet(np.ones(k), size=(n, members)))
    affine = ((1.0, 2.0, 3.0), (0.5, 2.0, 4.0)) if name.startswith("multivariate") else (0.0, 1.0)
    return JointPDFs(MixtureFamily(component, k, *affine), {"log_weights": weights, **params})


@pytest.mark.parametrize("name", VECTOR)
def test_moments_and_marginals_agree_with_draws(name):
    pdfs = joint(name)
    draws = pdfs.sample(20_000, random_state=0)
    error = 5 * pdfs.std() / np.sqrt(20_000)
    assert np.all(np.abs(draws.mean(axis=0) - pdfs.mean()) <= error)
    for index in range(3):
        marginal = pdfs.marginal(index)
        np.testing.assert_allclose(marginal.mean(), pdfs.mean()[:, index], rtol=1e-6)
        np.testing.assert_allclose(marginal.variance(), pdfs.variance()[:, index], rtol=1e-6)
        repeated = marginal[np.zeros(2000, int)]
        assert stats.kstest(repeated.pit(draws[:2000, 0, index]), "uniform").pvalue > 1e-4
    aleatoric, epistemic = pdfs.decompose()
    np.testing.assert_allclose(aleatoric + epistemic, pdfs.variance(), rtol=1e-6)
    assert np.all(epistemic > 0)
    np.testing.assert_allclose(pdfs.stack().mean()[0], pdfs.mean().mean(axis=0), rtol=1e-6)
    both = concatenate([pdfs[:1], pdfs[1:]])
    np.testing.assert_allclose(both.mean(), pdfs.mean())


def test_the_joint_density_is_scipys_mixture():
    pdfs = joint("multivariate-normal", n=2)
    y = pdfs.sample(1, random_state=3)[0]
    shift, scale = np.array(pdfs.family.shift), np.array(pdfs.family.scale)
    for row in range(2):
        total = 0.0
        for member in range(2):
            for k in range(2):
                loc, tril = (pdfs.params[n][row, member, k] for n in ("loc", "scale_tril"))
                root = scale[:, None] * tril
                part = stats.multivariate_normal(shift + scale * loc, root @ root.T).pdf(y[row])
                total += np.exp(pdfs.params["log_weights"][row, member, k]) / 2 * part
        assert pdfs.log_prob(y)[row] == pytest.approx(np.log(total))


@pytest.mark.parametrize("name", [n for n in VECTOR if n.startswith("multivariate")])
def test_conditional_times_marginal_is_the_joint(name):
    pdfs = joint(name)
    y = pdfs.sample(1, random_state=4)[0]
    rest = pdfs.conditional({1: y[:, 1]})
    assert isinstance(rest, JointPDFs)
    total = rest.log_prob(y[:, [0, 2]]) + pdfs.marginal(1).log_prob(y[:, 1])
    np.testing.assert_allclose(total, pdfs.log_prob(y), rtol=1e-6, atol=1e-8)
    last = pdfs.conditional({0: y[:, 0], -1: y[:, 2]})
    two = rest.marginal(1).log_prob(y[:, 2]) + pdfs.marginal(1).log_prob(y[:, 1])
    assert np.all(np.isfinite(two))
    pair = pdfs.conditional({1: y[:, 1]}).marginal(0).mean()
    assert last.mean().shape == pair.shape == (3,)


def test_conditional_shares_and_counts_times_the_marginal_are_the_joint():
    pdfs = joint("dirichlet")
    y = pdfs.sample(1, random_state=4)[0]
    left = 1 - y[:, 1]
    rest = pdfs.conditional({1: y[:, 1]})
    total = rest.log_prob(y[:, [0, 2]] / left[:, None]) - np.log(left)
    total = total + pdfs.marginal(1).log_prob(y[:, 1])
    np.testing.assert_allclose(total, pdfs.log_prob(y), rtol=1e-6, atol=1e-6)
    pdfs = joint("multinomial")
    y = np.tile([2.0, 3.0, 4.0], (3, 1))
    rest = pdfs.conditional({1: 3.0})
    total = rest.log_prob(y[:, [0, 2]]) + pdfs.marginal(1).log_prob(y[:, 1])
    np.testing.assert_allclose(total, pdfs.log_prob(y), rtol=1e-6, atol=1e-6)


def test_what_vectors_refuse():
    pdfs = joint("multinomial")
    with pytest.raises(IncompatibleError, match="need one number of trials left, above 0; got"):
        pdfs.conditional({0: [1.0, 2.0, 3.0]})
    pdfs = joint("multivariate-normal")
    with pytest.raises(ValueError, match="There is no coordinate 5; there are 0 to 2"):
        pdfs.marginal(5)
    with pytest.raises(ValueError, match="must name some of the coordinates, and not all"):
        pdfs.conditional({})
    with pytest.raises(ShapeError, match=r"`y` must have shape \(3, 3\); got \(3,\)"):
        pdfs.log_prob(np.zeros(3))


def test_vectors_survive_a_file(tmp_path):
    pdfs = joint("multivariate-normal-low-rank")
    write_pdfs(pdfs, tmp_path / "p.parquet", precision=32)
    back = read_pdfs(tmp_path / "p.parquet")
    np.testing.assert_allclose(back.mean(), pdfs.mean(), rtol=1e-4)
    names = summarise(pdfs, ["mean", "q16"])
    np.testing.assert_allclose(names["mean_2"], pdfs.mean()[:, 1])
    assert set(names) == {f"{s}_{i}" for s in ("mean", "q16") for i in (1, 2, 3)}


@pytest.mark.slow
def test_a_regressor_learns_a_correlation_and_is_judged_jointly():
    x = RNG.uniform(-1, 1, (2000, 1))
    rho = 0.9 * np.sign(x[:, 0])
    first = RNG.normal(size=2000)
    y = np.stack([first, rho * first + np.sqrt(1 - rho**2) * RNG.normal(size=2000)], axis=1)
    model = MDNRegressor(
        n_components=1,
        n_members=2,
        hidden_sizes=(24, 24),
        max_epochs=60,
        random_state=0,
        learning_rate=1e-2,
        embedding="none",
    ).fit(x[:1500], y[:1500])
    assert model.family_.component.name == "multivariate-normal"
    covariance = model.predict_pdfs(np.array([[-0.7], [0.7]])).covariance()
    correlation = covariance[:, 0, 1] / np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1])
    np.testing.assert_allclose(correlation, [-0.9, 0.9], atol=0.06)
    result = evaluate_joint(model.predict_pdfs(x[1500:]), y[1500:])
    assert result["tarp_distance"]["value"] < 2 * 1.63 / np.sqrt(500)
    assert result["log_score"]["value"] > -2.5
    assert model.predict(x[:3]).shape == (3, 2)
    with pytest.raises(DataError, match="vectors of 2 numbers; the family 'gamma' is not for them"):
        MDNRegressor(family="gamma").fit(x, y)
    with pytest.raises(DataError, match="single numbers; the family 'dirichlet'"):
        MDNRegressor(family="dirichlet").fit(x, first)
