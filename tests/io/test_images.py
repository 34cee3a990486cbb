"""Stamps in files: round trips, streams, whole or nothing, and the files of others."""

import sys
from contextlib import ExitStack

import h5py
import numpy as np
import pytest
from astropy.io import fits

from cases import DATA
from sfumato.errors import DataError, MissingDependencyError, ShapeError
from sfumato.io._stamp_checks import SEAL
from sfumato.io.images import StampWriter, open_stamps

N, H, W = 23, 6, 5
SUFFIXES = [".hdf5", ".fits"]
COLUMNS = {
    "id": ("i8", "", "running number"),
    "hlr": ("f4", "arcsec", "half-light radius"),
    "e1": (float, "", ""),
    "blended": (bool, "", "whether a neighbour overlaps"),
    "name": ("S8", "", "designation"),
}
ATTRIBUTES = {"pixel_scale": 0.2, "seed": 7, "survey": "a test", "psf_full_width": 0.7}


def stamps(n=N):
    rng = np.random.default_rng(1)
    images = {name: rng.normal(size=(n, H, W)).astype(np.float32) for name in ("image", "clean")}
    columns = {
        "id": np.arange(n),
        "hlr": rng.random(n).astype(np.float32),
        "e1": rng.normal(size=n),
        "blended": rng.random(n) < 0.5,
        "name": np.array([f"g{i}" for i in range(n)]),
    }
    return images, columns


def writer(path, **changed):
    options = {"n": N, "shape": (H, W), "attributes": ATTRIBUTES, "columns": COLUMNS}
    return StampWriter(path, **{**options, "images": ("image", "clean"), **changed})


def append(out, start, stop):
    images, columns = stamps()
    rows = slice(start, stop)
    out.append({k: v[rows] for k, v in images.items()}, {k: v[rows] for k, v in columns.items()})


def write(path, pieces=(4, 1, 11, 7), **options):
    with writer(path, **options) as out:
        start = 0
        for piece in pieces:
            append(out, start, start + piece)
            start += piece
    return path


# -- what we write ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".h5", ".fit"])
def test_stamps_round_trip(tmp_path, suffix):
    file = open_stamps(write(tmp_path / f"s{suffix}"))
    images, columns = stamps()
    assert (file.n, file.shape) == (N, (H, W))
    assert set(file.names) == {"image", "clean"}
    assert set(file.columns) == set(COLUMNS)
    assert dict(file.attributes) == ATTRIBUTES
    assert file.identifiers == ()
    for name, expected in images.items():
        got = file.read(slice(None), name)
        assert got.dtype == np.float32
        assert got.dtype.isnative
        np.testing.assert_array_equal(got, expected)
    for name, expected in columns.items():
        got = file.column(name)
        assert got.dtype.isnative
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_rows_can_be_read(tmp_path, suffix):
    file = open_stamps(write(tmp_path / f"s{suffix}"))
    images, _ = stamps()
    for rows in (slice(3, 4), slice(20, 99), slice(-5, None), slice(7, 7), slice(9, 2)):
        np.testing.assert_array_equal(file.read(rows), images["image"][rows])
    for index in (0, 11, -1):
        np.testing.assert_array_equal(file.read_one(index, "clean"), images["clean"][index])
    slices = list(file.iterate(10))
    assert slices == [slice(0, 10), slice(10, 20), slice(20, 23)]
    parts = np.concatenate([file.read(rows) for rows in slices])
    np.testing.assert_array_equal(parts, images["image"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_depend_on_the_content_alone(tmp_path, suffix):
    first = write(tmp_path / f"a{suffix}").read_bytes()
    again = write(tmp_path / f"b{suffix}").read_bytes()
    otherwise = write(tmp_path / f"c{suffix}", pieces=(23,)).read_bytes()
    assert first == again == otherwise


def test_many_chunks_do_not_change_the_bytes(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(41, 128, 128)).astype(np.float32)
    contents = []
    for step in (3, 17):
        path = tmp_path / f"s{step}.hdf5"
        with StampWriter(path, n=41, shape=(128, 128), attributes={}, columns={}) as out:
            for start in range(0, 41, step):
                out.append({"image": images[start : start + step]}, {})
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    with h5py.File(path) as file:
        assert file["image"].chunks == (4, 128, 128)


def test_h5py_alone_reads_our_files(tmp_path):
    images, columns = stamps()
    with h5py.File(write(tmp_path / "s.hdf5")) as file:
        for name, expected in images.items():
            np.testing.assert_array_equal(file[name][...], expected)
        for name, (kind, unit, description) in COLUMNS.items():
            stored = file["table"][name]
            assert (stored.attrs["unit"], stored.attrs["description"]) == (unit, description)
            assert stored.dtype == kind
            expected = columns[name].astype("S") if name == "name" else columns[name]
            np.testing.assert_array_equal(stored[...], expected)
        assert {k: v for k, v in file.attrs.items() if k != SEAL} == ATTRIBUTES
        assert file["image"].chunks[1:] == (H, W)


def test_astropy_alone_reads_our_files(tmp_path):
    images, columns = stamps()
    path = write(tmp_path / "s.fits")
    assert path.stat().st_size % 2880 == 0
    with fits.open(path, checksum=True) as file:
        file.verify("exception")
        assert [hdu.name for hdu in file] == ["PRIMARY", "IMAGE", "CLEAN", "TABLE"]
        assert {name: file[0].header[name.upper()] for name in ATTRIBUTES} == ATTRIBUTES
        for name, expected in images.items():
            np.testing.assert_array_equal(file[name.upper()].data, expected)
        table = file["TABLE"].data
        for name in columns:
            np.testing.assert_array_equal(table[name], columns[name])
        for number, (name, (_, unit, description)) in enumerate(COLUMNS.items(), start=1):
            assert (file["TABLE"].columns[name].unit or "") == unit
            assert file["TABLE"].header.get(f"TCOMM{number}", "") == description


def test_images_without_columns_and_attributes(tmp_path):
    for suffix in SUFFIXES:
        path = tmp_path / f"s{suffix}"
        with StampWriter(path, n=1, shape=(3, 4), attributes={}, columns={}) as out:
            out.append({"image": np.ones((1, 3, 4))}, {})
        file = open_stamps(path)
        assert (file.n, file.shape, file.columns, dict(file.attributes)) == (1, (3, 4), (), {})
        np.testing.assert_array_equal(file.read_one(0), np.ones((3, 4)))


# -- whole or not at all ---------------------------------------------------------------------------


def write_and_fail(path, error, **options):
    with writer(path, **options) as out:
        append(out, 0, 4)
        raise error


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_interrupted_write_leaves_nothing(tmp_path, suffix):
    path = tmp_path / f"s{suffix}"
    with pytest.raises(KeyboardInterrupt):
        write_and_fail(path, KeyboardInterrupt())
    with pytest.raises(DataError, match="No space left on device"):
        write_and_fail(path, OSError(28, "No space left on device"))
    with pytest.raises(DataError, match=r"4 of 23 stamps were appended.*Append 19 more"):
        write(path, pieces=(4,))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path, suffix):
    path = tmp_path / f"s{suffix}"
    path.write_text("older")
    with pytest.raises(DataError, match=r"exists already. Pass --overwrite"):
        write(path)
    with pytest.raises(ZeroDivisionError):
        write_and_fail(path, ZeroDivisionError(), overwrite=True)
    assert path.read_text() == "older"
    assert open_stamps(write(path, overwrite=True)).n == N
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_known_before_the_first_stamp(tmp_path, suffix, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", refuse, raising=False)
    with pytest.raises(DataError, match=r"could not be written \(No space left on device\)"):
        writer(tmp_path / f"s{suffix}").__enter__()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"does not exist. Create it first"):
        write(tmp_path / "none" / "s.fits")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_layout_the_format_refuses_leaves_nothing(tmp_path, suffix):
    # FITS has no letters beyond ASCII; HDF5 has
    path = tmp_path / f"s{suffix}"
    if suffix == ".fits":
        with pytest.raises(ValueError, match="ASCII"):
            write(path, attributes={"unit": "Å"})
        assert not list(tmp_path.iterdir())
    else:
        assert open_stamps(write(path, attributes={"unit": "Å"})).attributes["unit"] == "Å"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": 0}, "`n` must be at least 1; got 0"),
        ({"shape": (5,)}, r"`shape` must be \(height, width\)"),
        ({"shape": (0, 5)}, r"`shape` must be \(height, width\)"),
        ({"images": ()}, "`images` must name image sets"),
        ({"images": ("table",)}, "`images` must name image sets"),
        ({"images": ("Image",)}, "image sets are made of lower-case letters.*'Image'"),
        ({"images": ("image", "image")}, "must differ in more than case"),
        ({"attributes": {"a b": 1}}, "attributes are made of lower-case letters.*'a b'"),
        ({"attributes": {"naxis1": 1}}, "'naxis1' has a meaning of its own in FITS. Rename"),
        ({"attributes": {"a": [1]}}, "'a' must be a number or text"),
        ({"columns": {"a-b": ("f4", "", "")}}, "columns are made of letters.*'a-b'"),
        ({"columns": {"a": ("f4", "", ""), "A": ("f4", "", "")}}, "differ in more than case"),
        ({"columns": {"a": ("U5", "", "")}}, "'a' cannot be stored as <U5"),
        ({"columns": {"a": ("c8", "", "")}}, "'a' cannot be stored as complex64"),
    ],
)
def test_layouts_that_cannot_be_written_are_refused(tmp_path, changed, message):
    with pytest.raises(ValueError, match=message):
        writer(tmp_path / "s.fits", **changed)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"cannot be written as '.npz'; use one of .hdf5"):
        writer(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda i, c: i.pop("clean"), ValueError, r"image sets \['clean', 'image'\]; got \['im"),
        (lambda i, c: c.update(z=c["e1"]), ValueError, "Append the columns"),
        (lambda i, c: i.update(clean=i["clean"][:2]), ShapeError, r"is \(2, 6, 5\).*\(23, 6, 5\)"),
        (lambda i, c: i.update(image=np.float32(1)), ShapeError, r"is \(\); needed"),
        (lambda i, c: i.update(image=i["image"] + 1j), ValueError, "complex64, not real numbers"),
        (lambda i, c: c.update(e1=c["e1"][:2]), ShapeError, r"\['e1'\]` is \(2,\).*\(23,\)"),
        (lambda i, c: c.update(id=c["e1"]), ValueError, "'id' has values that int64 cannot hold"),
        (lambda i, c: c.update(e1=c["name"]), ValueError, "'e1' holds <U3, not numbers"),
        (lambda i, c: c.update(name=["far too long"] * N), ValueError, "room for 8 bytes.*12"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(tmp_path, change, error, message):
    images, columns = stamps()
    change(images, columns)
    with pytest.raises(error, match=message), writer(tmp_path / "s.fits") as out:
        out.append(images, columns)
    assert not list(tmp_path.iterdir())


def write_too_many(path):
    with writer(path) as out:
        append(out, 0, N)
        append(out, 0, 4)


def test_more_stamps_than_announced_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"27 stamps for a file of 23. Open the writer with a lar"):
        write_too_many(tmp_path / "s.hdf5")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="Append inside `with"):
        append(writer(tmp_path / "s.hdf5"), 0, 4)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"sfumato\[io\]"):
        write(tmp_path / "s.hdf5")
    assert not list(tmp_path.iterdir())


# -- what others write -----------------------------------------------------------------------------

CUBE = np.arange(4 * 3 * 5, dtype=np.float64).reshape(4, 3, 5)


def write_arrays(path, **arrays):
    """Arrays under their names in any of the formats."""
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    elif path.suffix == ".hdf5":
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    else:
        hdus = [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


FORMATS = [".hdf5", ".fits", ".npz"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("names", [("image", "weight"), ("SCI", "WHT"), ("images", "IVAR")])
def test_images_and_weights_go_by_many_names(tmp_path, suffix, names):
    arrays = {names[1]: CUBE + 1, names[0]: CUBE, "mask": CUBE.astype(np.int16)}
    file = open_stamps(write_arrays(tmp_path / f"f{suffix}", **arrays, psf=np.ones((4, 7, 7))))
    assert set(file.names) == {"image", "weight", "mask", "psf"}
    assert (file.n, file.shape) == (4, (3, 5))
    np.testing.assert_array_equal(file.read(slice(1, 3)), CUBE[1:3])
    np.testing.assert_array_equal(file.read(slice(1, 3), "weight"), CUBE[1:3] + 1)
    assert file.read(slice(None)).dtype == np.float64
    assert file.read(slice(None), "mask").dtype == np.float32
    assert file.read_one(2, "psf").shape == (7, 7)


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_psf_and_weight_for_all(tmp_path, suffix):
    psf, weight = np.eye(7), np.full((3, 5), 2.0)
    file = open_stamps(write_arrays(tmp_path / f"f{suffix}", image=CUBE, psf=psf, weight=weight))
    assert file.read(slice(1, 3), "psf").shape == (2, 7, 7)
    np.testing.assert_array_equal(file.read_one(3, "psf"), psf)
    np.testing.assert_array_equal(file.read(slice(None), "weight"), np.full((4, 3, 5), 2.0))


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_only_cube_is_the_images_and_a_single_image_is_one(tmp_path, suffix):
    only = open_stamps(write_arrays(tmp_path / f"only{suffix}", galaxies=CUBE, psf=np.eye(3)))
    np.testing.assert_array_equal(only.read(slice(None)), CUBE)
    assert only.names == ("image", "psf")
    single = open_stamps(write_arrays(tmp_path / f"single{suffix}", image=CUBE[0]))
    assert (single.n, single.shape) == (1, (3, 5))
    np.testing.assert_array_equal(single.read(slice(None)), CUBE[:1])
    np.testing.assert_array_equal(single.read_one(-1), CUBE[0])


def test_fits_files_with_a_cube_in_the_first_unit(tmp_path):
    path = tmp_path / "f.fits"
    primary = fits.PrimaryHDU(CUBE.astype(np.uint16))  # stored with an offset
    primary.header["PIXSCALE"] = 0.03
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("hlr", "E", array=np.arange(4)),
            fits.Column("pair", "2E", array=np.ones((4, 2))),
            fits.Column("name", "6A", array=["a", "b", "c", "d"]),
        ]
    )
    fits.HDUList([primary, fits.ImageHDU(CUBE + 1), table]).writeto(path)
    file = open_stamps(path)
    np.testing.assert_array_equal(file.read(slice(2, 4)), CUBE[2:])
    assert file.attributes["pixscale"] == 0.03
    assert file.columns == ("hlr", "name")
    np.testing.assert_array_equal(file.column("hlr"), np.arange(4))
    assert file.column("name").tolist() == ["a", "b", "c", "d"]


def test_compressed_fits_images(tmp_path):
    path = tmp_path / "f.fits"
    image = fits.CompImageHDU(CUBE.astype(np.int32), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    np.testing.assert_array_equal(open_stamps(path).read(slice(1, 3)), CUBE[1:3])


def test_hdf5_files_with_groups(tmp_path):
    path = tmp_path / "f.hdf5"
    with h5py.File(path, "w") as file:
        file["data/stamps"] = CUBE.astype(">f4")
        file["z"], file["bands"] = np.arange(4.0), np.array([b"g", b"r"])
        file["tag"] = np.array(["a", "b", "c", "d"], dtype=object)
        file.attrs["bands"], file.attrs["survey"] = np.array([1, 2]), np.bytes_(b"deep")
    file = open_stamps(path)
    np.testing.assert_array_equal(file.read(slice(None)), CUBE)
    assert set(file.columns) == {"z", "tag"}
    assert file.column("tag").tolist() == ["a", "b", "c", "d"]
    assert dict(file.attributes) == {"bands": [1, 2], "survey": "deep"}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_files_with_columns(tmp_path, order, save):
    path = tmp_path / "f.npz"
    save(path, image=np.asarray(CUBE, order=order), z=np.arange(4), name=list("abcd"), scale=0.2)
    file = open_stamps(path)
    np.testing.assert_array_equal(file.read(slice(1, 3)), CUBE[1:3])
    assert file.columns == ("z", "name")
    assert file.column("name").tolist() == list("abcd")
    assert dict(file.attributes) == {"scale": 0.2}


def ragged(path, **more):
    arrays = {"img_b": np.ones((3, 5)), "img_a": np.zeros((4, 4)), "z": np.arange(2)}
    np.savez(path, **arrays, **more)
    return path


def test_npz_files_with_stamps_of_any_shape(tmp_path):
    path = ragged(tmp_path / "f.npz", psf_a=np.eye(3), psf_b=np.eye(3), mask_a=np.zeros((4, 4)))
    file = open_stamps(path)
    assert (file.n, file.shape, file.identifiers) == (2, None, ("b", "a"))
    assert file.names == ("image", "psf", "mask")
    assert file.columns == ("z",)
    assert [file.read_one(i).shape for i in range(2)] == [(3, 5), (4, 4)]
    np.testing.assert_array_equal(file.read(slice(None), "psf"), np.stack([np.eye(3)] * 2))
    np.testing.assert_array_equal(file.read(slice(1, 2)), np.zeros((1, 4, 4)))
    assert file.read(slice(0, 0)).shape == (0, 0, 0)
    with pytest.raises(ShapeError, match=r"such as \(3, 5\) and \(4, 4\). Read each with read_one"):
        file.read(slice(None))
    with pytest.raises(DataError, match=r"no array 'mask_b'. Add it, or leave that galaxy out"):
        file.read_one(0, "mask")


def test_npz_stamps_and_weights_of_any_shape_must_agree(tmp_path):
    path = ragged(tmp_path / "f.npz", weight_a=np.ones((3, 5)))
    with pytest.raises(ShapeError, match=r"'img_a' is \(4, 4\) and 'weight_a' is \(3, 5\)"):
        open_stamps(path)
    path = ragged(tmp_path / "g.npz", img_c=np.ones((2, 3, 5)))
    with pytest.raises(DataError, match=r"'img_c' is \(2, 3, 5\); needed is \(h, w\)"):
        open_stamps(path)


@pytest.mark.shared
def test_real_stamps_of_many_shapes():
    path = DATA / "galaxy_stamps_cosmos" / "stamps.npz"
    file = open_stamps(path)
    assert (file.n, file.shape) == (60, None)
    assert file.names == ("image", "psf")
    assert file.identifiers[:3] == ("000000", "000001", "000003")
    with np.load(path) as arrays:
        for index, identifier in enumerate(file.identifiers):
            np.testing.assert_array_equal(file.read_one(index), arrays[f"img_{identifier}"])
            np.testing.assert_array_equal(file.read_one(index, "psf"), arrays[f"psf_{identifier}"])


# -- what is wrong ---------------------------------------------------------------------------------


def test_files_that_are_not_there_or_of_unknown_kind(tmp_path):
    with pytest.raises(DataError, match=r"none\.fits does not exist. Check the path"):
        open_stamps(tmp_path / "none.fits")
    (tmp_path / "s.png").touch()
    with pytest.raises(DataError, match=r"s\.png: unknown kind of images '\.png'; known are"):
        open_stamps(tmp_path / "s.png")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("content", [b"", b"not a file of this kind " * 300])
def test_files_of_another_kind_are_named(tmp_path, suffix, content):
    path = tmp_path / f"odd{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"odd\{suffix}: cannot be read"):
        open_stamps(path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_truncated_file_is_named(tmp_path, suffix, share):
    rng = np.random.default_rng(0)
    path = tmp_path / f"cut{suffix}"
    write_arrays(path, image=rng.normal(size=(20, 16, 16)), weight=rng.random((20, 16, 16)))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=rf"cut\{suffix}: .*(truncated|damaged)"):
        open_stamps(path)


def test_damaged_values_are_found_when_read(tmp_path):
    path = tmp_path / "f.npz"
    np.savez_compressed(path, image=np.random.default_rng(0).normal(size=(50, 16, 16)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = b"\xff" * 4000
    path.write_bytes(data)
    file = open_stamps(path)
    with pytest.raises(DataError, match=r"f\.npz: (cannot be read|'image' is truncated)"):
        file.read(slice(None))


def test_a_damaged_header_in_the_middle_of_fits(tmp_path):
    path = write(tmp_path / "s.fits")
    data = path.read_bytes()
    place = data.index(b"XTENSION= 'BINTABLE'")
    path.write_bytes(data[: place + 90] + b"\xff" * 400 + data[place + 490 :])
    with pytest.raises(DataError, match=r"s\.fits: .*(damaged|cannot be read)"):
        open_stamps(path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"z": np.ones(4)}, DataError, r"holds no images. Needed is an array \(n, h, w\)"),
        ({"psf": np.ones((4, 3, 3))}, DataError, "holds no images"),
        ({"image": np.ones((2, 4, 3, 5))}, DataError, r"has 4 axes, \(2, 4, 3, 5\); needed"),
        ({"cube": np.ones((2, 4, 3, 5))}, DataError, "has 4 axes"),
        ({"image": CUBE, "mask": CUBE[None]}, DataError, "(?i)'mask' has 4 axes"),
        ({"image": CUBE, "weight": CUBE[:, :2]}, ShapeError, r"\(4, 3, 5\).*\(4, 2, 5\)"),
        ({"image": CUBE, "weight": CUBE[0].T}, ShapeError, r"\(4, 3, 5\).*\(5, 3\)"),
        ({"image": CUBE, "psf": np.ones((3, 7, 7))}, ShapeError, r"\(4, 3, 5\).*\(3, 7, 7\)"),
    ],
)
def test_arrays_that_are_not_stamps_are_refused(tmp_path, suffix, arrays, error, message):
    path = write_arrays(tmp_path / f"f{suffix}", **arrays)
    with pytest.raises(error, match=message):
        open_stamps(path)


@pytest.mark.parametrize("suffix", [".hdf5", ".npz"])
def test_empty_and_ambiguous_files_are_refused(tmp_path, suffix):
    path = write_arrays(tmp_path / f"empty{suffix}", image=np.ones((0, 3, 5)))
    with pytest.raises(DataError, match=r"'image' is empty, \(0, 3, 5\). Write at least one"):
        open_stamps(path)
    path = write_arrays(tmp_path / f"two{suffix}", a=CUBE, b=CUBE)
    with pytest.raises(DataError, match=r"several arrays may be the images \(a, b\). Name one"):
        open_stamps(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_of_another_length_is_refused(tmp_path, suffix):
    path = tmp_path / f"f{suffix}"
    if suffix == ".hdf5":
        write_arrays(path, **{"image": CUBE, "table/z": np.arange(3)})
    else:
        table = fits.BinTableHDU.from_columns([fits.Column("z", "E", array=[1, 2])], name="TABLE")
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(CUBE), table]).writeto(path)
    with pytest.raises(ShapeError, match=r"4 stamps, but the column .* has \d rows"):
        open_stamps(path)


def test_python_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(path, image=CUBE, z=np.array([{}, 1, 2, 3], dtype=object), s=np.array({}))
    file = open_stamps(path)
    assert file.columns == ()
    assert dict(file.attributes) == {}


def test_requests_that_make_no_sense(tmp_path):
    file = open_stamps(write(tmp_path / "s.hdf5"))
    with pytest.raises(DataError, match=r"no images 'clear'. Nearest: 'clean'"):
        file.read(slice(3), "clear")
    with pytest.raises(DataError, match=r"no column 'hrl'. Nearest: 'hlr'"):
        file.column("hrl")
    with pytest.raises(ValueError, match="must be consecutive; got a step of 2"):
        file.read(slice(0, 9, 2))
    with pytest.raises(IndexError, match="within 23 galaxies; got 23"):
        file.read_one(23)
    with pytest.raises(ValueError, match="`chunk` must be at least 1"):
        next(file.iterate(0))


def test_files_may_be_open_side_by_side(tmp_path):
    with ExitStack() as stack:
        outs = [stack.enter_context(writer(tmp_path / f"s{i}.fits")) for i in range(2)]
        for out in outs:
            append(out, 0, N)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
