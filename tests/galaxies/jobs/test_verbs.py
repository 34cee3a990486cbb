"""Galaxy images in files and on the command line: simulate, measure, bound."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib import image

from sfumato.cli.main import run
from sfumato.errors import DataError
from sfumato.galaxies.jobs.measure import MeasuringPlan, measure_source
from sfumato.galaxies.jobs.sets import simulate_set
from sfumato.galaxies.jobs.sources import open_source, parse_psf
from sfumato.galaxies.population.population import POPULATIONS
from sfumato.io.images import StampWriter, open_stamps
from sfumato.io.output import Column, write_columns
from sfumato.io.pdfs import read_pdfs

from cases import DATA  # isort: skip

FREE = "flux,sersic_index,half_light_radius,g1,g2"


def cli(*arguments):
    """Exit code of the program."""
    with pytest.raises(SystemExit) as stopped:
        run([str(argument) for argument in arguments])
    return stopped.value.code


@pytest.fixture(scope="module")
def stamps(tmp_path_factory):
    """Sixteen galaxies with labels, PSFs and noise, in HDF5."""
    path = tmp_path_factory.mktemp("stamps") / "v3.hdf5"
    simulate_set(POPULATIONS["v3"], path, number=16, seed=4, images=("image", "noiseless", "psf"))
    return path


def write_stamps(path, images, *, columns=None, attributes=None, **more):
    """A file of stamps by our own writer."""
    sets = {"image": images, **more}
    columns = {"noise_sigma": np.full(len(images), 200.0)} if columns is None else columns
    attributes = {"pixel_scale": 0.23, "gain": 0.0} if attributes is None else attributes
    with StampWriter(
        path,
        n=len(images),
        shape=images.shape[1:],
        attributes=attributes,
        images=tuple(sets),
        columns={name: ("f8", "", "") for name in columns},
    ) as writer:
        writer.append(sets, columns)
    return path


# -- simulate -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(stamps, tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.galaxies.jobs.sets.CHUNK", 6)
    small = replace(POPULATIONS["v1"], pixels=32)
    paths = [tmp_path / f"{i}.hdf5" for i in range(3)]
    for path, number in zip(paths, (8, 8, 13), strict=True):
        simulate_set(small, path, number=number, seed=4)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    few, many = (open_stamps(path).read(slice(0, 8)) for path in paths[1:])
    np.testing.assert_array_equal(few, many)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_numbers_do_not_matter(stamps, tmp_path):
    again, more = tmp_path / "again.hdf5", tmp_path / "more.fits"
    kinds = ("image", "noiseless", "psf")
    simulate_set(POPULATIONS["v3"], again, number=16, seed=4, images=kinds)
    assert again.read_bytes() == stamps.read_bytes()
    simulate_set(POPULATIONS["v3"], more, number=510, seed=4, images=("image",))
    ours, theirs = open_stamps(stamps), open_stamps(more)
    np.testing.assert_array_equal(ours.read(slice(0, 16)), theirs.read(slice(0, 16)))
    np.testing.assert_array_equal(theirs.column("id"), np.arange(510))
    assert not np.allclose(theirs.read(slice(0, 10)), theirs.read(slice(500, 510)))
    noiseless = ours.read(slice(0, 16), "noiseless")
    ratio = np.sqrt(np.sum(noiseless**2, axis=(1, 2))) / ours.column("noise_sigma")
    np.testing.assert_allclose(ratio, ours.column("signal_to_noise"), rtol=1e-5)
    assert np.all(ours.read(slice(0, 16), "psf").sum(axis=(1, 2)) > 0.98)


@pytest.mark.slow
def test_galsim_draws_the_same_catalogue(tmp_path, monkeypatch):
    galsim = pytest.importorskip("galsim")
    assert galsim
    monkeypatch.setattr("sfumato.galaxies.jobs.sets.CHUNK", 6)
    files = []
    for engine in ("sfumato", "galsim"):
        files.append(tmp_path / f"{engine}.hdf5")
        simulate_set(POPULATIONS["v2"], files[-1], number=6, seed=1, engine=engine)
    ours, theirs = (open_stamps(path) for path in files)
    for name in ours.columns:
        np.testing.assert_array_equal(ours.column(name), theirs.column(name))
    rows = slice(0, 6)
    difference = ours.read(rows, "noiseless") - theirs.read(rows, "noiseless")
    # GalSim's default settings are good to a few tenths of a per cent of the peak
    assert np.abs(difference).max() < 0.15 * 200
    noise = [file.read(rows) - file.read(rows, "noiseless") for file in (ours, theirs)]
    assert np.abs(noise[0] - noise[1]).mean() < 2.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "v9"], "--set must be one of 'v1', 'v2'"),
        (["--engine", "paint"], "`engine` must be one of 'sfumato', 'galsim'"),
        (["--images", "image,depth"], "`images` must be one of"),
        (["--number", "0"], "at least 1; got 0"),
        (["--psf", "a"], "--psf must be numbers"),
        (["--noise", "1,2,3"], "one number or low,high"),
        (["--noise", "-3"], "`noise_sigma` must be positive"),
        (["--prior", "nothing.toml"], "does not exist. Check --prior"),
    ],
)
def test_bad_simulations_are_refused(arguments, message, tmp_path, capsys):
    output = tmp_path / "out.hdf5"
    assert cli("simulate", "galaxies", "--output", output, *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


# -- measure --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_measure_from_file_to_table_posteriors_and_pictures(stamps, tmp_path, capsys):
    output = tmp_path / "table.parquet"
    code = cli(
        *("measure", stamps, "--psf", "columns", "--noise", "noise_sigma", "--fix", "x=0,y=0"),
        *("--posterior", "--prior", "v3", "--output", output, "--keep", f"{FREE},signal_to_noise"),
        *("--pdfs", tmp_path / "pdfs", "--figures", tmp_path / "figures", "--covariance"),
    )
    assert code == 0
    assert "16 galaxies measured" in capsys.readouterr().out
    table = pq.read_table(output)
    flux, error = table["flux"].to_numpy(), table["flux_error"].to_numpy()
    clean = table["flags"].to_numpy() == 0
    assert clean.sum() > 8
    pull = ((flux - table["true_flux"].to_numpy()) / error)[clean]
    assert abs(pull.mean()) < 5 / np.sqrt(clean.sum())
    assert "covariance_flux_sersic_index" in table.column_names
    assert table.schema.field("flux").metadata[b"unit"] == b"count"
    assert np.all(table["effective_size"].to_numpy() > 100)
    for name in FREE.split(","):
        pdfs = read_pdfs(tmp_path / "pdfs" / f"{name}.parquet")
        mean, std = (table[f"{name}_{kind}"].to_numpy() for kind in ("mean", "std"))
        # 500 draws of the weighted ones, taken systematically: at most 5 standard errors off
        assert np.all(np.abs(pdfs.draws.mean(axis=1) - mean) < 5 * std / np.sqrt(500))
        np.testing.assert_allclose(pdfs.draws.std(axis=1), std, rtol=5 / np.sqrt(1000))
        # the galaxies were drawn from the prior, so their truths lie where the posteriors say
        pull = (table[f"true_{name}"].to_numpy() - mean) / std
        assert abs(pull.mean()) < 5 / np.sqrt(16)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"residuals.png", "profile.png", "corner.png", "bias.png"}
    assert cli("measure", stamps, "--psf", "0.5", "--noise", "200", "--output", output) == 2
    assert "exists already" in capsys.readouterr().err


def blank(n=2, side=32):
    return np.random.default_rng(0).normal(0, 200, (n, side, side)).astype(np.float32)


@pytest.mark.parametrize(
    ("psf", "noise", "message"),
    [
        ("0.5", "0", "noise must be positive"),
        ("0.5", "-2", "noise must be positive"),
        ("0.5", "nan", "noise must be positive"),
        ("0.5", "depth", "'depth'"),
        ("0.5", "weight", "weight"),
        ("-1", "200", "positive width in arcsec"),
        ("moffat:0.5:1", "200", "Moffat beta of at least 1.5"),
        ("blob", "200", "neither a width"),
        ("columns", "200", "psf_fwhm"),
        ("stamps", "200", "psf"),
    ],
)
def test_bad_psfs_and_noise_are_refused(psf, noise, message, tmp_path, capsys):
    path = write_stamps(tmp_path / "stamps.hdf5", blank())
    output = tmp_path / "out.csv"
    assert cli("measure", path, f"--psf={psf}", f"--noise={noise}", "--output", output) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not output.exists()


def source(path, *, psf="0.5", noise=200.0, mask_bad=False, **options):
    psfs = [parse_psf(psf, **options)]
    return open_source(
        [path], psfs=psfs, noise=noise, gain=None, pixel_scale=None, mask_bad=mask_bad
    )


def test_bad_pixels_are_counted_and_masked_only_on_request(tmp_path):
    images = blank()
    images[1, 3, 4:7] = np.nan
    path = write_stamps(tmp_path / "stamps.fits", images)
    with pytest.raises(DataError, match="stamp 1 has 3 pixels that are NaN or infinite"):
        list(source(path).parts(8))
    ((_, _, stamps),) = source(path, mask_bad=True).parts(8)
    assert np.sum(stamps.inverse_variance == 0) == 3


def test_images_of_psfs_are_checked_and_mended_on_request(tmp_path):
    star = np.zeros((33, 33), np.float32)
    star[14:19, 14:19] = 2.0
    path = write_stamps(tmp_path / "stamps.hdf5", blank())
    psf = write_stamps(tmp_path / "psf.fits", star[None])
    with pytest.raises(DataError, match="larger than the stamp"):
        list(source(path, psf=str(psf)).parts(8))
    small = write_stamps(tmp_path / "small.fits", star[None, 2:-2, 2:-2])
    with pytest.raises(DataError, match=r"sums to 50.0000 instead of 1"):
        list(source(path, psf=str(small)).parts(8))
    ((_, _, stamps),) = source(path, psf=str(psf), mend=True).parts(8)
    assert np.sum(stamps.psfs[0].image) == pytest.approx(1)
    dark = write_stamps(tmp_path / "dark.fits", 0 * star[None, 2:-2, 2:-2])
    with pytest.raises(DataError, match="no light"):
        list(source(path, psf=str(dark), mend=True).parts(8))


def test_weights_and_masks_of_the_file_are_used(tmp_path):
    images = blank()
    weight = np.full(images.shape, 200.0**-2, np.float32)
    weight[0, 0] = 0
    mask = np.zeros(images.shape, np.float32)
    mask[1, :, 0] = 1
    path = write_stamps(tmp_path / "stamps.hdf5", images, weight=weight, mask=mask)
    ((_, _, stamps),) = source(path, noise="weight").parts(8)
    assert [int(np.sum(w == 0)) for w in stamps.inverse_variance] == [32, 32]


def test_the_spread_of_the_border_is_the_noise(tmp_path):
    path = write_stamps(tmp_path / "stamps.hdf5", blank(side=64))
    ((_, _, stamps),) = source(path, noise="border").parts(8)
    sigma = stamps.inverse_variance[:, 0, 0, 0] ** -0.5
    np.testing.assert_allclose(sigma, 200, rtol=5 * 1.17 / np.sqrt(732))


@pytest.mark.shared
def test_real_stamps_of_all_sizes_are_framed(tmp_path):
    path = DATA / "galaxy_stamps_cosmos" / "stamps.npz"
    found = open_source(
        [path],
        psfs=[parse_psf("stamps", mend=True)],
        noise="border",
        gain=None,
        pixel_scale=0.03,
    )
    rows = []
    for numbers, grid, stamps in found.parts(64):
        rows += list(numbers)
        used = stamps.inverse_variance > 0
        assert np.all(used.sum(axis=(1, 2, 3)) <= grid.n_pixels)
        # what lies around a smaller stamp has no weight, and the stamp keeps its centre
        assert np.all(stamps.images[~used] == 0)
        np.testing.assert_array_equal(used, used[:, :, ::-1, ::-1])
        assert np.allclose(np.sum(stamps.psfs[0].image, axis=(1, 2)), 1, atol=1e-5)
    assert sorted(rows) == list(range(60))


# -- bound ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bound_prints_the_published_table_and_writes_maps(tmp_path, capsys):
    assert cli("bound", "--set", "snr60", "--output", tmp_path / "bound.csv") == 0
    assert "0.777" in capsys.readouterr().out
    text = (tmp_path / "bound.csv").read_text().splitlines()
    assert text[0].replace('"', "").startswith("parameter,value,bound")
    picture = tmp_path / "map.png"
    where = "half_light_radius:0.2:0.4:3,sersic_index:1:3:3"
    assert cli("bound", "--map", where, "--figure", picture) == 0
    assert image.imread(picture).std() > 0.05
    assert cli("bound", "--set", "v1") == 2
    assert "Use --floor" in " ".join(capsys.readouterr().err.split())
    assert cli("bound", "--g1", "0.8", "--g2", "0.7") == 2
    assert "|g| must be below 1" in " ".join(capsys.readouterr().err.split())


# -- tables ---------------------------------------------------------------------------------------

COLUMNS = {
    "name": Column(np.array(["a", "bcd"]), "", "names"),
    "flux": Column(np.array([1.5, np.nan]), "count", "light"),
    "flags": Column(np.array([0, 3], np.int32), "", "2 Sérsic index at a bound"),
}


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".fits", ".hdf5"])
def test_tables_of_results_are_read_by_others(suffix, tmp_path):
    path = tmp_path / f"table{suffix}"
    write_columns(path, COLUMNS, about={"made": "by a tést"})
    if suffix == ".parquet":
        table = pq.read_table(path)
        assert table.schema.field("flux").metadata[b"description"] == b"light"
        values = {name: table[name].to_pylist() for name in table.column_names}
    elif suffix == ".csv":
        import pandas

        values = pandas.read_csv(path).to_dict("list")
    elif suffix == ".fits":
        from astropy.table import Table

        table = Table.read(path, hdu="TABLE")
        assert str(table["flux"].unit) == "ct"
        values = {name: list(np.ma.filled(table[name], np.nan)) for name in ("flux", "flags")}
        values["name"] = list(table["name"])
    else:
        import h5py

        with h5py.File(path) as file:
            assert file["table/flux"].attrs["unit"] == "count"
            values = {name: list(file["table"][name][()]) for name in file["table"]}
    names = [v.decode() if isinstance(v, bytes) else str(v) for v in values["name"]]
    assert names == ["a", "bcd"]
    np.testing.assert_array_equal(np.array(values["flux"], float), [1.5, np.nan])
    assert list(map(int, values["flags"])) == [0, 3]


def test_tables_are_whole_or_not_there(tmp_path):
    with pytest.raises(DataError, match=r"one of .parquet, .csv"):
        write_columns(tmp_path / "table.txt", COLUMNS)
    write_columns(tmp_path / "table.csv", COLUMNS)
    with pytest.raises(DataError, match="exists already"):
        write_columns(tmp_path / "table.csv", COLUMNS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "snr60", "--noise", 777], "--noise has no effect here: --set says it already"),
        (["--floor", "--flux", 3], "--flux has no effect here: --floor is of a whole --set"),
        (["--floor", "--map", "flux:1:2:3"], "--map has no effect here"),
        (["--number", 5], "--number has no effect here: it is of --floor"),
    ],
)
def test_options_of_a_bound_without_effect_are_refused(options, said, capfd):
    assert cli("bound", *options) == 2
    assert said in " ".join(capfd.readouterr().err.split())


@pytest.mark.slow
def test_only_what_is_drawn_keeps_its_stamps(stamps, monkeypatch):
    monkeypatch.setattr("sfumato.galaxies.jobs.measure.CHUNK", 4)
    source = open_source(
        [stamps],
        psfs=[parse_psf("columns")],
        noise="noise_sigma",
        gain=None,
        pixel_scale=None,
        mask_bad=False,
    )
    plan = MeasuringPlan(free=tuple(FREE.split(",")), fixed={"x": 0.0, "y": 0.0}, bands=(0,))
    done = measure_source(source, plan)
    assert [len(batch.rows) for batch in done] == [4, 4, 4, 4]
    held = [len(batch.stamps) for batch in done]
    assert sorted(held) == [0, 0, 0, 4]
    assert held.index(4) == int(np.argmax([batch.n_clean for batch in done]))
