"""Stamps beside their models, and radial profiles."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from sfumato.errors import ShapeError
from sfumato.plots._labels import Scale, label_log, prepare_round
from sfumato.plots._style import BAND, CYCLE, INK, new_figure, style

REACH = 5.0  # sigmas, where the colours of residuals end
LIMIT = "upper limit, 2 errors"


class RadialProfile(NamedTuple):
    """Mean surface brightness in elliptical annuli, each field (b,) but for the edges."""

    radius: np.ndarray
    """Mean elliptical radius of the pixels, arcsec; NaN in an empty annulus, as the next two."""
    brightness: np.ndarray
    """Mean surface brightness, counts per square arcsec."""
    error: np.ndarray
    """Its standard error, from the noise of the pixels alone."""
    count: np.ndarray
    """Number of pixels."""
    edges: np.ndarray
    """(b + 1,) edges of the annuli, arcsec."""


def prepare_residual(
    image: ArrayLike,
    model: ArrayLike,
    sigma: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    n_parameters: int = 0,
) -> tuple[np.ndarray, float, int]:
    r"""Residual in sigmas (h, w), NaN where masked, its :math:`\chi^2` and degrees of freedom.

    Parameters
    ----------
    image, model : (h, w) in the same units.
    sigma : noise of the pixels in those units; one number or (h, w).
    mask : (h, w), True where a pixel is left out.
    n_parameters : free parameters of the fit, taken from the degrees of freedom.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        A pixel in use is not finite or has no positive sigma, or no degree of freedom is left.
    """
    data, fit = np.asarray(image, float), np.asarray(model, float)
    noise = np.asarray(sigma, float)
    out = np.zeros(data.shape, bool) if mask is None else np.asarray(mask, bool)
    shapes = {"model": fit.shape, "sigma": noise.shape or data.shape, "mask": out.shape}
    for name, shape in shapes.items():
        if data.ndim != 2 or shape != data.shape:
            raise ShapeError(
                f"`{name}` must have the image's shape (h, w); got {shape} and {data.shape}."
            )
    used = ~out
    noise = np.broadcast_to(noise, data.shape)
    good = np.isfinite(data) & np.isfinite(fit) & np.isfinite(noise) & (noise > 0)
    if np.any(used & ~good):
        message = "pixels in use must be finite, with positive `sigma`"
        raise ValueError(f"{message}; {np.sum(used & ~good)} are not: mask them.")
    dof = int(used.sum()) - n_parameters
    if dof < 1:
        raise ValueError(f"{used.sum()} pixels cannot constrain {n_parameters} parameters.")
    residual = np.full(data.shape, np.nan)
    residual[used] = (data[used] - fit[used]) / noise[used]
    return residual, float(np.sum(residual[used] ** 2)), dof


def prepare_profile(
    image: ArrayLike,
    sigma: ArrayLike,
    *,
    pixel_scale: float,
    centre: tuple[float, float] = (0.0, 0.0),
    axis_ratio: float = 1.0,
    angle_rad: float = 0.0,
    n_bins: int = 16,
    r_max: float | None = None,
    mask: ArrayLike | None = None,
) -> RadialProfile:
    r"""Mean surface brightness of a stamp in elliptical annuli of equal width.

    The elliptical radius keeps the area, :math:`r^2 = q x'^2 + y'^2 / q` with :math:`x'` along the
    major axis: an ellipse of radius :math:`r` covers :math:`\pi r^2`. Pixels belong to the annulus
    of their centre and count equally, which noise that grows with the signal cannot bias. A model
    is compared best as its own profile in the same annuli.

    Parameters
    ----------
    image : (h, w) counts per pixel, sky subtracted; the first axis is y.
    sigma : noise of the pixels in counts, independent from one to the next; a number or (h, w).
    pixel_scale : arcsec.
    centre : (x, y) of the galaxy from the centre of the stamp, arcsec.
    axis_ratio : minor over major axis, in (0, 1].
    angle_rad : of the major axis, from +x towards +y.
    n_bins : number of annuli.
    r_max : outer edge, arcsec; by default the largest radius whose ellipse stays in the stamp.
    mask : (h, w), True where a pixel is left out.
    """
    if not (0 < axis_ratio <= 1 and pixel_scale > 0 and n_bins >= 1):
        given = f"{axis_ratio!r}, {pixel_scale!r} and {n_bins!r}"
        message = "`axis_ratio` must lie in (0, 1], `pixel_scale` and `n_bins` be positive"
        raise ValueError(f"{message}; got {given}.")
    data = np.asarray(image, float)
    deviation, _, _ = prepare_residual(data, np.zeros_like(data), sigma, mask=mask)
    radius, room = _elliptical(data.shape, pixel_scale, centre, axis_ratio, angle_rad)
    r_max = room if r_max is None else r_max
    if r_max <= 0:
        raise ValueError(f"`r_max` must be positive and `centre` in the stamp; got {r_max:g}.")
    edges = np.linspace(0, r_max, n_bins + 1)
    used = np.isfinite(deviation) & (radius < r_max)
    index = np.searchsorted(edges, radius[used], side="right") - 1
    noise = np.broadcast_to(np.asarray(sigma, float), data.shape)[used]
    sums = [np.bincount(index, weights, n_bins) for weights in (radius[used], data[used], noise**2)]
    count = np.bincount(index, minlength=n_bins)
    n = np.where(count > 0, count, np.nan)
    per_area = 1 / n / pixel_scale**2
    return RadialProfile(sums[0] / n, sums[1] * per_area, np.sqrt(sums[2]) * per_area, count, edges)


def _elliptical(
    shape: tuple, pixel_scale: float, centre: tuple[float, float], ratio: float, angle: float
) -> tuple[np.ndarray, float]:
    """Elliptical radius of each pixel, and that of the largest ellipse inside the stamp."""
    half = 0.5 * pixel_scale * np.array(shape)
    y, x = np.meshgrid(
        *((np.arange(n) - 0.5 * (n - 1)) * pixel_scale for n in shape), indexing="ij"
    )
    x, y = x - centre[0], y - centre[1]
    cos, sin = np.cos(angle), np.sin(angle)
    along, across = x * cos + y * sin, y * cos - x * sin
    # how far an ellipse of radius one goes along x and along y
    reach = np.hypot([cos, sin], ratio * np.array([sin, cos])) / np.sqrt(ratio)
    room = np.min((half[::-1] - np.abs(centre)) / reach)
    return np.sqrt(ratio * along**2 + across**2 / ratio), float(room)


def plot_residuals(
    images: ArrayLike,
    models: ArrayLike,
    sigmas: ArrayLike,
    *,
    pixel_scale: float,
    masks: ArrayLike | None = None,
    titles: Sequence[str] | None = None,
    max_rows: int = 6,
    n_parameters: int = 0,
) -> Figure:
    r"""Image, model and residual in sigmas, a row for each of the first `max_rows` galaxies.

    Image and model share an asinh stretch, linear within three sigmas of zero. Masked pixels are
    hatched. :math:`\chi^2` per degree of freedom stands in the corner of the residual.

    Parameters
    ----------
    images, models : (n, h, w) counts per pixel, sky subtracted.
    sigmas : noise in counts, of a shape that broadcasts to (n, h, w).
    pixel_scale : arcsec.
    masks : (n, h, w), True where a pixel is left out.
    titles : (n,) names of the galaxies.
    n_parameters : free parameters of each fit, taken from the degrees of freedom.
    """
    data, fits, noise, out = _check_stamps(images, models, sigmas, masks, titles)
    n_rows = min(len(data), max_rows)
    with style():
        figure, grid = new_figure(
            n_rows, 3, width=9.6, height=2.7 * n_rows + 0.4, sharex=True, sharey=True
        )
        half = 0.5 * pixel_scale * np.array(data.shape[1:])
        extent = (-half[1], half[1], -half[0], half[0])
        for row, axes in enumerate(grid):
            parts = prepare_residual(
                data[row], fits[row], noise[row], mask=out[row], n_parameters=n_parameters
            )
            unmasked = np.where(out[row], np.nan, data[row])
            _draw_row(axes, (unmasked, fits[row], parts[0]), extent, float(np.median(noise[row])))
            _write(axes[2], f"$\\chi^2$/dof = {parts[1] / parts[2]:.2f}")
            name = "" if titles is None else f"{titles[row]}\n"
            axes[0].set_ylabel(f"{name}y [arcsec]")
        for axes, title in zip(grid[0], ("image", "model", "residual"), strict=True):
            axes.set_title(title)
        for axes in grid[-1]:
            axes.set_xlabel("x [arcsec]")
        if n_rows < len(data):
            figure.suptitle(f"first {n_rows} of {len(data)} galaxies", fontsize=9)
    return figure


def _check_stamps(
    images: ArrayLike,
    models: ArrayLike,
    sigmas: ArrayLike,
    masks: ArrayLike | None,
    titles: Sequence[str] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arrays (n, h, w) of images, models, noise and masks, or an error that names shapes."""
    data, fits = np.asarray(images, float), np.asarray(models, float)
    out = np.zeros(data.shape, bool) if masks is None else np.asarray(masks, bool)
    if data.ndim != 3 or not len(data) or fits.shape != data.shape or out.shape != data.shape:
        shapes = f"{data.shape}, {fits.shape} and {out.shape}"
        raise ShapeError(f"`images`, `models` and `masks` must all be (n, h, w); got {shapes}.")
    if titles is not None and len(titles) != len(data):
        raise ShapeError(f"`titles` must name each of {len(data)} galaxies; got {len(titles)}.")
    noise = np.broadcast_to(np.asarray(sigmas, float), data.shape)
    return data, fits, noise, out


def _draw_row(axes: np.ndarray, pictures: tuple, extent: tuple, noise: float) -> None:
    """Draw (image, model, residual) on three axes with two colour bars."""
    counts = np.concatenate([pictures[0].ravel(), pictures[1].ravel()])
    low = max(float(np.nanmin(counts)), -3 * noise)
    high = max(float(np.nanmax(counts)), 1.1 * noise)
    stretch = AsinhNorm(3 * noise, vmin=low, vmax=high)
    norms = (stretch, stretch, Normalize(-REACH, REACH))
    drawn: list[AxesImage] = []
    for panel, picture, norm in zip(axes, pictures, norms, strict=True):
        cmap = "viridis" if norm is stretch else "RdBu_r"
        drawn.append(
            panel.imshow(
                picture, origin="lower", extent=extent, norm=norm, cmap=cmap, interpolation="none"
            )
        )
        # masked pixels are transparent: the background shows
        panel.patch.set(facecolor=BAND, edgecolor="#7b8794", hatch="//////", lw=0)
    figure = axes[0].figure
    bar = figure.colorbar(drawn[1], ax=axes[1], label="counts per pixel", shrink=0.9)
    ticks = prepare_round(noise, high, n_max=4)
    ticks = np.array([*-ticks[::-1], 0, *ticks])
    bar.set_ticks(ticks[(ticks >= low) & (ticks <= high)], minor=False)
    bar.minorticks_off()
    bar.ax.yaxis.set_major_formatter("{x:g}")
    figure.colorbar(drawn[2], ax=axes[2], label="residual / σ", shrink=0.9, extend="both")


def _write(axes: Axes, text: str) -> None:
    """Text in the upper left corner, on a light ground."""
    ground = {"facecolor": "white", "alpha": 0.85, "lw": 0, "pad": 2}
    axes.text(0.04, 0.95, text, transform=axes.transAxes, va="top", fontsize=8.5, bbox=ground)


def plot_profiles(
    profile: RadialProfile,
    models: Mapping[str, np.ndarray],
    *,
    x_scale: Scale = "log",
    title: str = "",
) -> Figure:
    """Surface brightness against radius with models over it, and what is left in errors below.

    An annulus with a brightness of zero or less shows as its upper limit of two errors.

    Parameters
    ----------
    profile : what `prepare_profile` gives for the image.
    models : from names to brightness (b,) in the same annuli, counts per square arcsec.
    x_scale : of the radius; the brightness is logarithmic.
    """
    for name, model in models.items():
        if np.shape(model) != profile.radius.shape:
            shapes = f"{np.shape(model)} and {profile.radius.shape}"
            raise ShapeError(f"model {name!r} must have a value in each annulus; got {shapes}.")
    radius, data, error = profile.radius, profile.brightness, profile.error
    with style():
        figure, grid = new_figure(2, 1, width=5.4, height=4.8, sharex=True, heights=(3, 1.3))
        upper, lower = grid[:, 0]
        upper.set_yscale("log", nonpositive="clip")
        _draw_data(upper, radius, data, error)
        lower.axhspan(-1, 1, color=BAND, lw=0)
        lower.axhline(0, color=INK, lw=0.8)
        for index, (name, model) in enumerate(models.items()):
            colour, there = CYCLE[(1, 0, 2, 3)[index % 4]], np.isfinite(radius)
            dashes = ("-", "--", "-.", ":")[index % 4]
            upper.plot(radius[there], model[there], color=colour, ls=dashes, label=name)
            lower.plot(radius, (data - model) / error, "o", ms=4, color=colour)
        lower.set(xlabel="radius [arcsec]", ylabel="(data − model)\n/ error", xscale=x_scale)
        if x_scale == "log":
            label_log(lower.xaxis)
        reach = 1.1 * np.nanmax(np.abs([*lower.get_ylim(), 3]))
        lower.set_ylim(-reach, reach)
        upper.set(ylabel="surface brightness\n[counts / arcsec²]", title=title)
        handles, labels = upper.get_legend_handles_labels()
        entries = dict(zip(labels, handles, strict=True))
        shown = [name for name in ("data", LIMIT, *models) if name in entries]
        upper.legend([entries[name] for name in shown], shown, loc="upper right")
        figure.align_ylabels()
    return figure


def _draw_data(axes: Axes, radius: np.ndarray, data: np.ndarray, error: np.ndarray) -> None:
    """Points with error bars, upper limits where the data are not positive."""
    positive, limit = data > 0, data + 2 * error
    x, y, bar = radius[positive], data[positive], error[positive]
    axes.errorbar(x, y, bar, fmt="o", ms=4, ls="none", color=INK, zorder=3, label="data")
    upper = ~positive & (limit > 0)
    if np.any(upper):
        (marks,) = axes.plot(radius[upper], limit[upper], "v", color=INK, zorder=3, label=LIMIT)
        marks.set(markersize=5, markerfacecolor="none")
    shown = np.concatenate([data[positive], limit[upper]])
    if shown.size:
        axes.set_ylim(0.3 * shown.min(), 2.5 * shown.max())
