"""Slow and obvious answers: plain loops over SciPy, one object at a time."""

from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

TWINS = {"beta": stats.beta, "normal": stats.norm}


class Mixture:
    """One object of a `ParametricPDFs`, as SciPy distributions mixed by hand."""

    def __init__(self, pdfs, row):
        family = pdfs.family
        self.shift, self.scale = family.shift, family.scale
        self.support = family.support
        weights = np.exp(pdfs.params["log_weights"][row]) / pdfs.n_members
        names = family.component.parameters
        first, second = (pdfs.params[name][row] for name in names)
        self.parts = [
            (w, TWINS[family.component.name](a, b))
            for w, a, b in zip(weights.ravel(), first.ravel(), second.ravel(), strict=True)
        ]

    def unit(self, y):
        return (np.asarray(y) - self.shift) / self.scale

    def pdf(self, y):
        return sum(w * d.pdf(self.unit(y)) for w, d in self.parts) / self.scale

    def cdf(self, y):
        return sum(w * d.cdf(self.unit(y)) for w, d in self.parts)

    def mean(self):
        return self.shift + self.scale * sum(w * d.mean() for w, d in self.parts)

    def variance(self):
        centre = self.unit(self.mean())
        parts = (w * (d.var() + (d.mean() - centre) ** 2) for w, d in self.parts)
        return self.scale**2 * sum(parts)

    def bracket(self):
        ends = [d.ppf(p) for _, d in self.parts for p in (1e-12, 1 - 1e-12)]
        return self.shift + self.scale * min(ends), self.shift + self.scale * max(ends)

    def quantile(self, level):
        low, high = self.bracket()
        return optimize.brentq(lambda y: self.cdf(y) - level, low, high, xtol=1e-12)

    def mode(self):
        places = [
            self.shift + self.scale * p
            for _, d in self.parts
            for p in d.ppf(np.linspace(0.01, 0.99, 400))
        ]
        best = places[int(np.argmax(self.pdf(np.array(places))))]
        gap = 0.02 * self.scale * min(d.std() for _, d in self.parts) * 50
        found = optimize.minimize_scalar(
            lambda y: -self.pdf(y),
            bounds=(best - gap, best + gap),
            method="bounded",
            options={"xatol": 1e-10},
        )
        return found.x if self.pdf(found.x) >= self.pdf(best) else best

    def fine_grid(self, n=40_001):
        low, high = self.bracket()
        return np.linspace(low, high, n)


def gaussian_crps(loc, scale, y):
    z = (y - loc) / scale
    return scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def simulate(*, n=1500, s=60, width=1.0, shift=0.0, correlation=0.6, stated=None, seed=5):
    """Draws and truths of correlated Gaussians whose centres are known; faults are stated ones."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(n, 2)) * [3, 1]
    stated = correlation if stated is None else stated
    true_root, stated_root = (
        np.linalg.cholesky([[1, rho], [rho, 1]]) for rho in (correlation, stated)
    )
    truth = centre + rng.normal(size=(n, 2)) @ true_root.T
    samples = centre + shift + width * rng.normal(size=(s, n, 2)) @ stated_root.T
    return samples, truth


def sersic_transform(n, log_k):
    """Transform of the Sérsic profile of unit radius and its slope in log_k, by quadrature.

    The Hankel integral turned into the complex plane, ``r = s exp(0.2 pi i)``: there the Bessel
    function and the profile both fall, and the trapezoid rule in log s converges geometrically.
    """
    waves, z, weight = _contour(tuple(log_k))
    b = special.gammaincinv(2 * n, 0.5)
    flux = 2 * np.pi * n * b ** (-2 * n) * special.gamma(2 * n)
    profile = 2 * np.pi / flux * np.exp(-b * z ** (1 / n)) * weight
    return tuple(np.real(wave @ profile) for wave in waves)


@lru_cache(maxsize=4)
def _contour(log_k):
    u, step = np.linspace(-25, 12, 2001, retstep=True)
    z = np.exp(u + 0.2j * np.pi)
    kz = np.exp(log_k)[:, None] * z
    # scaled and scaled back: SciPy 1.16 has infinities where the functions themselves vanish
    fall = np.exp(1j * kz)
    return (special.hankel1e(0, kz) * fall, -kz * special.hankel1e(1, kz) * fall), z, z * z * step


def moffat_transform(beta, k):
    """Transform of the Moffat profile of unit r_d, by Bessel functions."""
    nu = beta - 1
    return 2 * (k / 2) ** nu * special.kv(nu, k) / special.gamma(nu)


def central_difference(function, at, step):
    """Derivative of sixth order."""
    weights = {1: 45, 2: -9, 3: 1}
    rises = (w * (function(at + i * step) - function(at - i * step)) for i, w in weights.items())
    return sum(rises) / (60 * step)
