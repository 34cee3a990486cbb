"""Tables of ours say what they are, and that nobody changed it."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sfumato.errors import DataError
from sfumato.io.output import Column, write_columns
from sfumato.io.tables import open_table, read_table
from sfumato.io.tables.seal import KEY, header_of, sealed

N = 5


@pytest.fixture
def path(tmp_path):
    columns = {
        "mass": Column(np.linspace(13, 15, N), "dex", "of the halo"),
        "n": Column(np.arange(N)),
    }
    write_columns(tmp_path / "t.parquet", columns, about={"seed": 3})
    return tmp_path / "t.parquet"


def test_a_header_comes_back_without_its_seal(path):
    table = open_table(path)
    assert (table.units["mass"], table.descriptions["mass"]) == ("dex", "of the halo")
    assert header_of(pq.read_schema(path), path) == {"about": {"seed": 3}}
    assert header_of(pa.schema([("mass", pa.float64())]), path) is None


def test_another_unit_is_noticed(path):
    table = pq.read_table(path)
    field = table.schema.field("mass").with_metadata({"unit": "Msun", "description": "of the halo"})
    edited = table.schema.set(0, field)
    pq.write_table(table.cast(edited), path)
    with pytest.warns(UserWarning, match="has not the columns and rows it was written with"):
        assert open_table(path).units["mass"] == "Msun"


def test_a_row_less_is_noticed(path):
    pq.write_table(pq.read_table(path)[1:], path)
    with pytest.warns(UserWarning, match="was it edited"):
        assert open_table(path).n_rows == N - 1


def test_an_edited_header_is_refused(path):
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[KEY])
    header["about"]["seed"] = 4
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(header)}), path)
    with pytest.raises(DataError, match=r"header is damaged \(it was changed .* Write it again"):
        open_table(path)
    del header["sha256"]
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(header)}), path)
    with pytest.raises(DataError, match="its digest is gone"):
        open_table(path)


def test_a_header_of_an_earlier_version_is_taken(path):
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({KEY: '{"about": {"seed": 3}}'}), path)
    assert open_table(path).n_rows == N


def test_a_footer_that_contradicts_itself_is_refused(path):
    """Rows of the parts changed in the bytes of the footer, where no checksum looks."""
    data = bytearray(path.read_bytes())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    # the field after a row group's size, in thrift's compact form: its rows, doubled for the sign
    places = [i for i in range(footer, len(data)) if data[i - 1 : i + 1] == bytes([0x16, 2 * N])]
    refused = 0
    for place in places:
        path.write_bytes(data[:place] + bytes([2 * (N - 1)]) + data[place + 1 :])
        try:
            table = open_table(path)
            assert len(read_table(table, table.columns)) == N
        except (DataError, pa.ArrowException) as error:
            refused += "and 4 in its parts" in str(error) or "4 rows in all" in str(error)
    assert refused == 2


def test_a_flipped_bit_in_a_page_is_refused(path):
    whole, chunk = path.read_bytes(), pq.read_metadata(path).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    last = start + chunk.total_compressed_size - 1
    path.write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
    table = open_table(path)
    with pytest.raises(DataError, match=r"(?i)crc|checksum"):
        read_table(table, ["mass"])


def test_the_seal_is_that_of_the_columns():
    schema = pa.schema([("a", pa.float64())])
    one, other = (json.loads(sealed(schema, {}, n_rows=n).metadata[KEY]) for n in (1, 2))
    assert one["sha256"] != other["sha256"]
    assert one["written"] == {"columns": [["a", "double"]], "n_rows": 1, "stated": {}}


def test_rows_that_do_not_come_are_missed(path):
    table = replace(open_table(path), read=lambda *_: iter(()))
    with pytest.raises(DataError, match=r"t\.parquet: damaged: 0 of 5 rows could be read"):
        read_table(table, ["mass"])
