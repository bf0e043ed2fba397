"""A SharedTable is the dict or the set that it was built from, in a file; a bad file is told from a good one."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Mapping, Set
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenmp import SharedTable, TableError, TableKeyInvalid
from eisenmp.tables import build as building
from eisenmp.tables.keys import END
from eisenmp.tables.label import FIXED

LONG = "x" * 600
MIXED = {
    1: "int", "1": "str", b"1": "bytes", "": None, b"": 0, -5: [1], 10**400: "big", LONG: "long",
    "x" * 510: 510, "x" * 511: 511, LONG.encode(): "long bytes", "a\0b": 3, "\ud800": "half", "ä": (1, 2),
}  # fmt: skip

keys = st.text() | st.binary() | st.integers() | st.text(min_size=505, max_size=520, alphabet="ab")


def same_crc() -> tuple[str, str]:
    """Two keys whose CRC-32 is the same."""
    seen: dict[int, str] = {}
    draw = Random(1)
    while True:
        key = draw.randbytes(6).hex()
        other = seen.setdefault(zlib.crc32(key.encode() + END), key)
        if other != key:
            return other, key


def damage(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_mapping_is_the_dict_that_it_was_built_from() -> None:
    with SharedTable(MIXED) as table:
        assert isinstance(table, Mapping)
        assert isinstance(table, SharedTable)
        assert dict(table) == MIXED == dict(table.items())
        assert table == MIXED and MIXED == table
        assert table != {**MIXED, 1: "other"} and table != {**MIXED, 2: "more"}
        assert len(table) == len(MIXED) == len(list(table.values()))
        for key, value in MIXED.items():
            assert table[key] == table.get(key) == value
            assert key in table
        assert table.get("no", 7) == 7
        with pytest.raises(KeyError, match="no"):
            table["no"]


def test_a_set_is_the_set_that_it_was_built_from() -> None:
    with SharedTable(frozenset(MIXED)) as table:
        assert isinstance(table, Set)
        assert table == set(MIXED) and len(table) == len(MIXED)
        assert table & {1, "no"} == {1} == table.intersection([1, "no", 1])
        assert LONG in table and LONG + "y" not in table and "no" not in table
        assert isinstance(table | {5}, frozenset)


@pytest.mark.parametrize("same", [True, 1.0, Fraction(1), 1 + 0j])
def test_what_equals_a_number_is_that_key_as_in_a_dict(same: object) -> None:
    with SharedTable({1: "one"}) as table:
        assert same in table and table[same] == "one"  # type: ignore[index]


@pytest.mark.parametrize("other", [None, 1.5, float("nan"), (1,), frozenset(), 1 + 1j, float("inf")])
def test_what_can_be_no_key_is_not_there(other: object) -> None:
    with SharedTable({1: "one"}) as table:
        assert other not in table
        with pytest.raises(KeyError):
            table[other]  # type: ignore[index]


def test_what_cannot_be_hashed_is_refused_as_in_a_dict() -> None:
    with SharedTable({1}) as table, pytest.raises(TypeError, match="unhashable"):
        assert [1] in table


@given(st.dictionaries(keys, st.none() | st.integers() | st.text()))
@settings(max_examples=40, deadline=None)
def test_any_dict(source: dict[object, object]) -> None:
    with SharedTable(source) as table, SharedTable(iter(source.items())) as other:
        assert dict(table.items()) == source
        if source:
            assert table == other
        assert all(table[key] == value for key, value in source.items())


@given(st.lists(st.tuples(keys, st.integers())))
@settings(max_examples=40, deadline=None)
def test_what_comes_later_replaces_what_came_before(pairs: list[tuple[object, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # blocks of a few entries
        patch.setattr(building, "PAIRS_MAX", 20)
        with SharedTable(iter(pairs)) as table:
            source = dict(pairs)
            assert dict.fromkeys(table) == dict.fromkeys(source)
            assert len(table) == len(source)
            assert all(table[key] == value for key, value in source.items())


def test_the_order_is_that_of_the_source_and_of_the_last_time() -> None:
    with SharedTable([("b", 1), ("a", 2), ("b", 3), ("c", 4)]) as table:
        assert list(table.items()) == [("a", 2), ("b", 3), ("c", 4)]
        assert list(table.values()) == [2, 3, 4] and list(table) == ["a", "b", "c"]


def test_keys_of_the_same_checksum_are_told_apart() -> None:
    # these have the same CRC-32, and so the same place in the index
    found = same_crc()
    with SharedTable({key: number for number, key in enumerate(found)}) as table:
        assert [table[key] for key in found] == [0, 1]
    with SharedTable({found[0]}) as only:
        assert found[1] not in only and found[0] in only


@given(st.dictionaries(keys, st.integers(), max_size=30))
@settings(max_examples=20, deadline=None)
def test_a_file_of_more_than_4_gib_has_wider_numbers(source: dict[object, int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eisenmp.tables.index.NARROW_MAX", 0)
        patch.setattr("eisenmp.tables.blocks.NARROW_MAX", -1)
        with SharedTable(source) as table:
            assert dict(table.items()) == source
            assert all(table[key] == value for key, value in source.items())


def test_a_table_that_was_closed_says_so() -> None:
    table = SharedTable({"a": 1})
    table.close()
    for use in (lambda: table["a"], lambda: "a" in table, lambda: 1 in table, lambda: list(table.items())):
        with pytest.raises(TableError, match="was closed"):
            use()


def test_nothing_is_a_table_too() -> None:
    with SharedTable({}) as mapping, SharedTable(set()) as none:
        assert len(mapping) == len(none) == 0
        assert mapping == {} and none == set() and "x" not in mapping and list(none) == []


def test_a_key_of_another_type_is_named() -> None:
    with pytest.raises(TableKeyInvalid, match=r"\(1, 2\) cannot be a key of a table: it is a tuple"):
        SharedTable({(1, 2): 3})
    with pytest.raises(TableKeyInvalid, match=r"1\.5 .* float"):
        SharedTable({1.5})


def test_a_value_that_cannot_be_pickled_is_named() -> None:
    with pytest.raises(TypeError, match=r"table\['k'\] cannot be pickled"):
        SharedTable({"k": sys._getframe()})


def test_a_table_is_not_built_from_a_text() -> None:
    with pytest.raises(TypeError, match="not from str"):
        SharedTable("words.txt")
    with pytest.raises(TypeError, match="a source, a path or both"):
        SharedTable()


def test_a_pickle_opens_the_same_file() -> None:
    with SharedTable({"a": 1}) as table:
        copy = pickle.loads(pickle.dumps(table))
        assert len(pickle.dumps(table)) < 300
        assert copy == table and copy["a"] == 1
        assert copy._file is table._file


def test_another_process_opens_it_without_a_name() -> None:
    code = (
        "import pickle, sys; table = pickle.loads(bytes.fromhex(sys.argv[1])); print(table['a'], len(table))"
    )
    with SharedTable({"a": 1}) as table:
        call = [sys.executable, "-c", code, pickle.dumps(table).hex()]
        assert subprocess.run(call, capture_output=True, text=True, check=True).stdout == "1 1\n"
    late = subprocess.run(call, capture_output=True, text=True)
    assert "TableError" in late.stderr and ("is gone" in late.stderr or "no table" in late.stderr)


def test_a_copy_of_the_process_reads_it() -> None:
    with SharedTable({"a": 1}) as table:
        assert table["a"] == 1
        pid = os.fork()
        if not pid:
            os._exit(0 if table["a"] == 1 and list(table) == ["a"] else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert table["a"] == 1


def test_nothing_is_left_of_a_table_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    table = SharedTable({"a": 1})
    assert table["a"] == 1
    table.close()
    assert list(tmp_path.iterdir()) == []


def test_where_a_name_is_needed_it_is_removed_and_an_old_one_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("EISENMP_PORTABLE", "1")
    (tmp_path / "eisenmp-table-0123").write_bytes(b"left by a process that was killed")
    table = SharedTable({"a": 1})
    assert [str(path) for path in tmp_path.iterdir()] == [table.path]
    other = SharedTable({"b": 1})
    assert pickle.loads(pickle.dumps(table))["a"] == 1, "it was not taken for an old one"
    del table
    other.close()
    assert list(tmp_path.iterdir()) == []


# with a path


def test_a_file_stays_and_is_taken_for_the_same_checksum_only(tmp_path: Path) -> None:
    path = tmp_path / "words.table"
    built = SharedTable({"a": 1}, path=path, checksum="v1")
    assert built["a"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["words.table"]

    def never() -> dict[str, int]:
        raise AssertionError("the source is not needed")

    assert SharedTable(never, path=path, checksum="v1") == built == SharedTable(path=path)
    assert SharedTable(lambda: {"a": 2}, path=path, checksum="v2")["a"] == 2
    assert SharedTable({"a": 3}, path=path)["a"] == 3
    assert built["a"] == 1, "who has it open keeps it"


def test_a_build_that_fails_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "words.table"
    SharedTable({"a": 1}, path=path)

    def broken() -> object:
        yield "a", 2
        raise OSError(5, "the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        SharedTable(broken(), path=path)
    assert SharedTable(path=path)["a"] == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_table_that_was_sent_is_not_taken_for_another(tmp_path: Path) -> None:
    path = tmp_path / "words.table"
    body = pickle.dumps(SharedTable({"a": 1}, path=path))
    SharedTable({"a": 2}, path=path)
    with pytest.raises(TableError, match="another one was built in its place"):
        pickle.loads(body)


def test_no_file_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SharedTable(path=tmp_path / "none")
    (tmp_path / "text").write_text("words " * 100)
    with pytest.raises(TableError, match="is no table of eisenmp"):
        SharedTable(path=tmp_path / "text")
    (tmp_path / "empty").touch()
    with pytest.raises(TableError, match="is no table of eisenmp"):
        SharedTable(path=tmp_path / "empty")


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "words.table"
    SharedTable({str(number): number for number in range(2000)}, path=path)
    whole = path.read_bytes()
    label = len(whole) - FIXED.size
    cases = {
        "a part of it is missing": whole[:-1],
        "its size is not the one": whole[:4096] + whole[8192:],
        "was changed after it was built": whole[:9000] + b"damage" + whole[9006:],
        "its label is not what was written": whole[: label + 8] + b"\x01" + whole[label + 9 :],
        "is a table of version 7": whole[:-14] + b"\x07" + whole[-13:],
    }
    for reason, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(TableError, match=reason):
            SharedTable(path=path)
        assert SharedTable({"a": 1}, path=path, checksum="new")["a"] == 1, "it is built anew"
    path.write_bytes(whole)
    assert SharedTable(path=path)["7"] == 7, "a whole copy is good"


def test_one_who_writes_into_it_in_place_is_found(tmp_path: Path) -> None:
    path = tmp_path / "words.table"
    SharedTable(frozenset(map(str, range(2000))), path=path)
    damage(path, 9000, b"damage")
    with pytest.raises(TableError, match="was changed after it was built"):
        SharedTable(path=path)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "import eisenmp\n"
        "try:\n"
        "    eisenmp.SharedTable(((n, os.urandom(60_000)) for n in range(100)), path=sys.argv[1] + '/t')\n"
        "except eisenmp.TableError as error:\n"
        "    print(error)\n"
        "print(os.listdir(sys.argv[1]))\n"
    )
    disk = tmp_path / "disk"
    disk.mkdir()
    command = 'mount -t tmpfs -o size=2m none "$1" && exec "$2" "$3" "$1"'
    call = ["unshare", "-rm", "sh", "-c", command, "sh", str(disk), sys.executable, str(program)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f"the table {disk}/t cannot be written: the disk is full", "[]",
    ], done.stderr  # fmt: skip
