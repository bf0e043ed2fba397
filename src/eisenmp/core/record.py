"""Frozen records: `typing.NamedTuple` for the type checker, without what importing and making those costs.

Importing typing takes 10 ms. `collections.namedtuple` compiles a constructor for each class, 0.1 ms; here
those with as many fields are one compiled function with other names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from _collections import _tuplegetter

    _constructors = {}  # by number of fields

    def _constructor(record, fields, defaults):
        known = _constructors.get(len(fields))
        if known is None:
            names = ", ".join(f"_{number}" for number in range(len(fields)))
            known = eval(
                f"lambda cls, {names}: new(cls, ({names},))" if fields else "lambda cls: new(cls)",
                {"new": tuple.__new__, "__name__": __name__},
            )
            _constructors[len(fields)] = known
        code = known.__code__.replace(
            co_varnames=("cls", *fields), co_name="__new__", co_qualname=f"{record}.__new__"
        )
        return type(known)(code, known.__globals__, "__new__", defaults or None)

    class _Record(tuple):
        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, /, **changes):
            record = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise TypeError(f"{type(self).__name__} has no field {', '.join(changes)}")
            return record

        __replace__ = _replace  # for copy.replace()

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            values = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self):
            return tuple(self)

    class _RecordType(type):
        def __new__(cls, name, bases, namespace):
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            namespace["__slots__"] = ()
            namespace["_fields"] = namespace["__match_args__"] = fields
            namespace["_field_defaults"] = defaults
            namespace.setdefault("__new__", _constructor(name, fields, tuple(defaults.values())))
            for number, field in enumerate(fields):
                namespace[field] = _tuplegetter(number, None)
            return type(name, (_Record,), namespace)

    class NamedTuple(metaclass=_RecordType):
        pass


__all__ = ["NamedTuple"]
