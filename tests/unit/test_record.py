"""Records: what `typing.NamedTuple` does, without its import."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest

from eisenmp.core.record import NamedTuple


class Point(NamedTuple):
    """A record of this test."""

    x: int
    y: int = 5

    @property
    def total(self) -> int:
        return self.x + self.y

    def moved(self, by: int) -> Point:
        return self._replace(x=self.x + by)

    @classmethod
    def origin(cls) -> Point:
        return cls(0, 0)


class Size(NamedTuple):
    """As many fields as a Point."""

    width: int
    height: int = 9


class Nothing(NamedTuple):
    """No field."""


def test_fields_and_defaults_are_those_of_the_annotations() -> None:
    assert Point._fields == ("x", "y")
    assert tuple(Point(1)) == (1, 5)
    assert Point(1, y=2).y == 2
    assert Point._field_defaults == {"y": 5}
    unchecked: Any = Point
    for arguments in ((), (1, 2, 3)):
        with pytest.raises(TypeError, match=r"Point\.__new__\(\)"):
            unchecked(*arguments)
    with pytest.raises(TypeError, match="'z'"):
        unchecked(1, z=2)


def test_a_record_with_other_fields_is_changed_by_name_only() -> None:
    changed: Any = Point(1)
    assert changed._replace(y=7) == Point(1, 7)
    with pytest.raises(TypeError, match="Point has no field z"):
        changed._replace(z=2)


def test_records_with_as_many_fields_keep_their_own_names_and_defaults() -> None:
    assert Size(height=2, width=1) == (1, 2)
    assert Point(y=2, x=1) == (1, 2)
    assert repr(Size(3)) == "Size(width=3, height=9)"
    assert repr(Nothing()) == "Nothing()"


def test_methods_and_properties_stay() -> None:
    assert Point(1).total == 6
    assert Point(1).moved(2) == Point(3)
    assert Point.origin() == Point(0, 0)
    assert Point.__doc__ == "A record of this test."
    assert (Point.__name__, Point.__qualname__, Point.__module__) == ("Point", "Point", __name__)


def test_it_is_a_frozen_tuple() -> None:
    point: Any = Point(1)
    assert isinstance(point, tuple)
    assert repr(point) == "Point(x=1, y=5)"
    assert point._asdict() == {"x": 1, "y": 5}
    assert hash(point) == hash((1, 5))
    with pytest.raises(AttributeError):
        point.x = 2
    assert not hasattr(point, "__dict__")


def test_it_goes_through_pickle() -> None:
    copy = pickle.loads(pickle.dumps(Point(1)))
    assert copy == Point(1)
    assert type(copy) is Point


def test_it_matches_patterns() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("a record matches by position")


def test_typing_is_not_imported() -> None:
    program = "import sys, eisenmp.core.record; print('typing' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "False"
