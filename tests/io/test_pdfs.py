"""Files of PDFs against damage and edits: what is read is what was written, or it is said."""

import json
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cases import make_pdfs
from sfumato import read_pdfs, write_pdfs
from sfumato.errors import DataError
from sfumato.io.codecs import prior_header, priors_of
from sfumato.io.pdfs import open_pdfs
from sfumato.pdfs import density_of


@pytest.fixture
def kept(tmp_path):
    pdfs = make_pdfs(n=40)
    columns = {"id": np.arange(40) + 2**40, "name": [f"M{i}" for i in range(40)]}
    write_pdfs(pdfs, tmp_path / "p.parquet", columns=columns)
    return tmp_path / "p.parquet"


def answer_of(path):
    """What a file gives, and whether anything was said; None if it is refused in one line."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            file = open_pdfs(path)
            ((pdfs, table),) = file.chunks(file.columns)
        except DataError as error:
            return None if "\n" not in str(error) else str(error)
    if said:
        return None
    found = {name: values.tobytes() for name, values in sorted(pdfs.params.items())}
    return pdfs.family.to_dict(), found, table.to_pydict()


def test_no_flipped_bit_is_silent(kept):
    whole, data, rng = answer_of(kept), kept.read_bytes(), np.random.default_rng(0)
    assert whole is not None
    for place in rng.integers(0, 8 * len(data), 300):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << (place % 8)
        kept.write_bytes(flipped)
        assert answer_of(kept) in (None, whole), place


def test_no_cut_is_silent(kept):
    data = kept.read_bytes()
    for size in np.random.default_rng(0).integers(0, len(data), 50):
        kept.write_bytes(data[:size])
        assert answer_of(kept) is None


def test_an_edited_header_is_refused(kept):
    table = pq.read_table(kept)
    header = json.loads(table.schema.metadata[b"sfumato"])
    for change in ({"scale": 5.0}, {"about": {"model": "other"}}):
        edited = json.dumps({**header, **change}).encode()
        pq.write_table(table.replace_schema_metadata({b"sfumato": edited}), kept)
        with pytest.raises(DataError, match=r"its header is damaged \(it was changed since it was"):
            read_pdfs(kept)
    header.pop("sha256")
    pq.write_table(table.replace_schema_metadata({b"sfumato": json.dumps(header).encode()}), kept)
    with pytest.raises(DataError, match="its digest is gone"):
        read_pdfs(kept)


@pytest.mark.parametrize(
    "edit",
    [
        lambda table: table.slice(3, 7),
        lambda table: table.select(["pdf", "id"]),
        lambda table: table.append_column("x", pa.array(np.ones(40))),
    ],
)
def test_a_file_that_was_edited_is_read_and_said(kept, edit):
    table = edit(pq.read_table(kept))
    pq.write_table(table, kept)
    with pytest.warns(UserWarning, match="has not the columns and rows it was written with"):
        assert len(read_pdfs(kept)) == len(table)


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1.0, 1e6, 1e12])
def test_a_training_prior_is_kept_in_any_unit(tmp_path, unit):
    targets = unit * np.random.default_rng(0).normal(0.5, 3, 2000)
    pdfs = make_pdfs("normal", shift=0.5 * unit, scale=3 * unit)
    pdfs = pdfs.with_training_priors([density_of(targets)])
    write_pdfs(pdfs, tmp_path / "p.parquet", precision=32)
    stored = read_pdfs(tmp_path / "p.parquet")
    grid, density = stored.training_prior.grid, stored.training_prior.density
    np.testing.assert_allclose(density[0], pdfs.training_prior.pdf(grid)[0], rtol=1e-3, atol=1e-8)
    new = lambda y: np.exp(-0.5 * (y / unit - 1) ** 2)  # noqa: E731
    expected, found = (p.reweight(new).mean() / unit for p in (pdfs, stored))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_prior_that_older_versions_rounded_away_is_left_out():
    header = prior_header([density_of(np.arange(9.0))])
    assert len(priors_of(header)) == 1
    header["training_prior"]["density"] = np.zeros(len(header["training_prior"]["grid"])).tolist()
    assert priors_of(header) == []
