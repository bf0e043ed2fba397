"""What cannot be pickled is named by the path to its smallest part."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from eisenmp.wire.pickles import Unpicklable, blame, dumps, loads

LOCK = threading.Lock()
REASON = "cannot be pickled: TypeError: cannot pickle '_thread.lock' object"


class Holder:
    def __init__(self, **parts: object) -> None:
        self.__dict__.update(parts)


class Refusing:
    def __reduce__(self) -> tuple[Any, ...]:
        raise ZeroDivisionError("no way")


class RefusingKey(Refusing):
    def __repr__(self) -> str:
        return "RefusingKey()"


def test_objects_come_back() -> None:
    for obj in (None, 1, "text", [1, {2: (3,)}], b"bytes", range(5), {1, 2}):
        assert loads(dumps(obj)) == obj


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        (LOCK, "row"),
        ([1, LOCK], "row[1]"),
        ((1, {"a": [LOCK]}), "row[1]['a'][0]"),
        (Holder(fine=1, handle=LOCK), "row.handle"),
        ([Holder(parts={"x": LOCK})], "row[0].parts['x']"),
    ],
)
def test_the_part_that_is_the_reason_is_named(obj: object, path: str) -> None:
    with pytest.raises(Unpicklable) as caught:
        dumps(obj, "row")
    assert str(caught.value) == f"{path} {REASON}"
    assert caught.value.path == path
    assert isinstance(caught.value.__cause__, TypeError)


def test_keys_and_items_of_sets_are_named_too() -> None:
    with pytest.raises(
        Unpicklable, match=r"^row\.key\(RefusingKey\(\)\) cannot be pickled: ZeroDivisionError: no way"
    ):
        dumps({RefusingKey(): 1}, "row")
    with pytest.raises(Unpicklable, match=r"^row\.item\(RefusingKey\(\)\) cannot be pickled"):
        dumps({1, RefusingKey()}, "row")


def test_an_object_that_refuses_by_itself_is_named_whole() -> None:
    with pytest.raises(Unpicklable, match=r"^object\[0\] cannot be pickled: ZeroDivisionError: no way$"):
        dumps([Refusing()])


def test_the_search_for_the_reason_is_bounded() -> None:
    deep: object = LOCK
    for _ in range(50):
        deep = [deep]
    with pytest.raises(Unpicklable) as caught:
        dumps(deep, "row")
    assert caught.value.path.startswith("row[0][0]")
    assert caught.value.path.count("[0]") < 20


def test_an_object_that_holds_itself_is_no_endless_way() -> None:
    circle: list[object] = [LOCK]
    circle.append(circle)
    with pytest.raises(Unpicklable, match=r"^row\[0\] "):
        dumps(circle, "row")


def test_the_error_itself_travels() -> None:
    with pytest.raises(Unpicklable) as caught:
        dumps([LOCK], "row")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.path) == (str(caught.value), "row[0]")


def test_blame_takes_another_pickler() -> None:
    """One that pickles functions by value blames other parts."""

    def strict(obj: object, protocol: int) -> bytes:
        if obj == 3 or (isinstance(obj, list) and 3 in obj):
            raise ValueError("three")
        return b""

    assert blame([1, 2, 3], "row", ValueError("three"), strict) == ("row[2]", "ValueError: three")
