"""Every setting once: name, type, default, what it may be and its documentation stand in one declaration.

By rule `procs_max` is `PROCS_MAX` in a ModuleConfiguration, `EISENMP_PROCS_MAX` and `--procs-max` elsewhere.
"""

from __future__ import annotations

from ..errors import SettingsError
from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    Value = TypeVar("Value")
    Take = Callable[[object], object]
    Read = Callable[[str], object]
    Words = tuple[str, ...]

PREFIX = "EISENMP_"
_FLAGS: dict[object, bool] = {"1": True, "true": True, "yes": True, "on": True, True: True}
_FLAGS |= {"0": False, "false": False, "no": False, "off": False, False: False}


class Retries(NamedTuple):
    """How often one piece of work is tried again: after an error, after a death, after a timeout."""

    raised: int = 0
    death: int = 2
    timeout: int = 0

    def __str__(self) -> str:
        return f"raise={self.raised},death={self.death},timeout={self.timeout}"


class Kind:
    """What a setting may be, in words; `take` checks a value and `read` makes one of a text; or raise."""

    def __init__(self, expected: str, take: Take, read: Read = str.lower, words: Words = ()) -> None:
        self.expected, self.take, self.read, self.words = expected, take, read, words


def _number(value: object, least: int) -> int:
    # A bool is an int to Python, but nobody means a number by it.
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise ValueError
    return int(value.__index__())


def _whole(least: int, *words: str) -> Kind:
    def take(value: object) -> object:
        return value if isinstance(value, str) and value in words else _number(value, least)

    def read(text: str) -> object:
        return text.lower() if text.lower() in words else int(text)

    spelled = "".join(f" or {word!r}" for word in words)
    return Kind(f"a whole number of at least {least}{spelled}", take, read, words)


def _take_count(value: object) -> int:
    # A target is often computed: 1e6, n / 2, or 0 for an empty list.
    return _number(int(-(-value // 1)) if isinstance(value, float) else value, 0)


def _seconds(*, zero: bool = False) -> Kind:
    def take(value: object) -> float:
        if not isinstance(value, bool) and hasattr(value, "__float__"):
            seconds = float(value.__float__())
            if 0 < seconds < float("inf") or (zero and seconds == 0):
                return seconds
        raise ValueError

    return Kind(f"a number of seconds {'of at least' if zero else 'above'} 0", take, float)


def _choice(*words: str, **alias: str) -> Kind:
    def take(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError
        return alias.get(value, value)

    return Kind(f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}", take, words=words)


def _take_dashboard(value: object) -> int:
    if value in _FLAGS:
        return _FLAGS[value]
    port = int(value) if isinstance(value, str) else _number(value, 2)
    if not 1 < port < 65536:
        raise ValueError
    return port


def _take_text(value: object) -> str:
    value = value.__fspath__() if hasattr(value, "__fspath__") else value
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError
    return value


def _take_name(value: object) -> str:
    # It becomes the name of a file, by which `eisenmp ps` finds the manager.
    if isinstance(value, str) and not value.startswith(".") and set(value).isdisjoint("/\\"):
        return _take_text(value)
    raise ValueError


def _take_bytes_or_none(value: object) -> int:
    return 0 if value in (0, "0") and value is not False else _take_bytes(value)


def _take_bytes(value: object) -> int:
    if isinstance(value, str):
        text = value.strip().upper().removesuffix("B").removesuffix("I")
        power = " KMGT".find(text[-1:]) if text else 0
        value = int(float(text[:-1]) * 1024**power) if power > 0 else int(text)
    return _number(value, 1024**2)


def _take_retries(value: object) -> Retries:
    if isinstance(value, str):
        pairs = [pair.partition("=") for pair in value.split(",")]
        value = {key.strip(): int(number) for key, _, number in pairs} if "=" in value else int(value)
    if isinstance(value, Retries):
        value = value._asdict()
    if not hasattr(value, "items"):
        return Retries(*[_number(value, 0)] * 3)
    return Retries(**{"raised" if key == "raise" else key: _number(n, 0) for key, n in value.items()})


def _take_pin(value: object) -> str | tuple[int, ...]:
    if isinstance(value, str):
        if value in ("none", "core"):
            return value
        from .cpus import parse_cpu_list

        value = parse_cpu_list(value)
    # Workers take the cores in turn: an order is needed, and a core that is named twice gets two of them.
    if not isinstance(value, (list, tuple, range)) or not value:
        raise ValueError
    return tuple(_number(core, 0) for core in value)


def _take_variables(value: object) -> dict[str, object]:
    if isinstance(value, str):
        import json  # only a text is worth its import

        value = json.loads(value)
    if not hasattr(value, "items") or not all(isinstance(name, str) for name, _ in value.items()):
        raise ValueError
    return dict(value.items())


def _take_module(value: object) -> object:
    return value if callable(value) or hasattr(value, "keys") else _take_text(value)


def _take_health(value: object) -> object:
    # 'tcp', the path of a page, or a function that says it
    if callable(value):
        return value
    text = _take_text(value)
    if text.lower() == "tcp":
        return "tcp"
    # the path of a file begins like the path of a page
    if ":" in text or (text.startswith("/") and " " not in text):
        return text
    raise ValueError


def _take_groups(value: object) -> tuple[object, ...]:
    if isinstance(value, (list, tuple)) and all(hasattr(group, "ports") for group in value):
        return tuple(value)
    raise ValueError


class Field:
    """A setting as declared; `door` is None for what 1.0 does not know, else its further names there."""

    def __init__(self, default: object, kind: Kind, doc: str, door: Words | None) -> None:
        self.default, self.kind, self.doc, self.door = default, kind, doc, door

    @property
    def expected(self) -> str:
        """What it may be, in words: 'a whole number of at least 1 or None'."""
        return self.kind.expected + (" or None" if self.default is None else "")

    def take(self, value: object, spelling: str, *, text: bool = False) -> object:
        """The value as it is kept, of a value or a text; else a SettingsError that names `spelling`."""
        if self.default is None and (value is None or (text and str(value).lower() == "none")):
            return None
        try:
            return self.kind.take(self.kind.read(value) if text and isinstance(value, str) else value)
        except (ValueError, TypeError, LookupError, OverflowError):
            near = _nearest(value, self.kind.words) if isinstance(value, str) else None
        message = f"{spelling} must be {self.expected}, not {_short(value)}"
        raise SettingsError(message + (f"; did you mean {near!r}?" if near else ""))


_declared: list[Field] = []


def _setting(default: Value, kind: Kind, doc: str, door: Words | None = None) -> Value:
    _declared.append(Field(default, kind, doc, door))
    return default


_FLAG = Kind("True or False", _FLAGS.__getitem__)
_LABEL = Kind("a text", str, str)
_START = _choice("spawn", "forkserver", "fork", fork="forkserver")
_COUNT = Kind("a whole number of at least 0", _take_count, float)
_DASHBOARD = Kind("True, False or a port up to 65535", _take_dashboard)
_RETRIES = Kind("a whole number of at least 0 or such numbers as 'raise=0,death=2,timeout=0'", _take_retries)
_VARIABLES = Kind("a mapping of names to values", _take_variables, str)
_BYTES = Kind("a number of bytes of at least 1 MiB, such as 536870912 or '512M',", _take_bytes)
_SHARED = Kind("a number of bytes of at least 1 MiB, such as '2G', 0 for none,", _take_bytes_or_none)
_PIN = Kind("'none', 'core' or a list of core numbers", _take_pin, words=("none", "core"))
_GROUPS = Kind("a list of PortGroup", _take_groups)
_LOG = _choice("text", "json")
_HEALTH = Kind("'tcp', a path such as '/healthz', a function, or 'file.py:name' of one,", _take_health, str)
_MODULE = Kind("'file.py:name', 'package.module:name' or a function", _take_module, str)
_NAME = Kind("a name without slashes", _take_name, str)


class Settings:
    """All settings of one manager: checked, immutable, and as picklable as the `variables` are."""

    procs_max: int | None = _setting(None, _whole(1), "workers; None is usable_cpus()", ("NUM_PROCS",))
    rows_max: int | str = _setting(1000, _whole(1, "auto"), "rows in a chunk; auto: by time", ("NUM_ROWS",))
    start_method: str = _setting("spawn", _START, "spawn, or forkserver (or fork): forks of a warm one", ())
    results_store: bool = _setting(False, _FLAG, "keep every result in the manager", ("store_result",))
    results_print: bool = _setting(False, _FLAG, "print the results at the end", ())
    results_dict_print: bool = _setting(False, _FLAG, "print the results with their tickets at the end", ())
    result_label: str = _setting('add a "RESULT_LABEL" var', _LABEL, "title over the printed results", ())
    info_enable: bool = _setting(False, _FLAG, "collect what workers report on the info queue", ())
    info_thread_max: int | None = _setting(None, _COUNT, "rows in all, for percent and time left", ())
    stop_msg_disable: bool = _setting(False, _FLAG, "send idle workers no STOP lists", ("stop_msg_disable",))
    progress: bool = _setting(False, _FLAG, "show a bar on a terminal and plain lines elsewhere")
    dashboard: bool | int = _setting(False, _DASHBOARD, "serve a page about the run, on this port if given")
    retries: Retries = _setting(Retries(), _RETRIES, "further attempts after an error, a death, a timeout")
    timeout: float | None = _setting(None, _seconds(), "seconds that a chunk may take")
    timeout_row: float | None = _setting(None, _seconds(), "seconds that each row of a chunk may take")
    start_timeout: float = _setting(60.0, _seconds(), "seconds that a worker may take to load its modules")
    ready_timeout: float = _setting(30.0, _seconds(), "seconds that a server may take to become ready")
    grace: float = _setting(10.0, _seconds(zero=True), "seconds to finish in before a stop is enforced")
    variables: Mapping[str, object] = _setting({}, _VARIABLES, "what the toolbox carries as well, by name")
    on_error: str = _setting("raise", _choice("raise", "skip"), "end the feed, or keep a dead letter")
    ledger: str | None = _setting(None, Kind("a path", _take_text, str), "file of the tickets and results")
    resume: bool = _setting(False, _FLAG, "go on where the ledger ends")
    memory_max: int | None = _setting(None, _BYTES, "private memory of a worker in bytes, or as 512M, 2G")
    shared_memory_max: int | None = _setting(None, _SHARED, "bytes for large rows, results; None: a quarter")
    chunks_max: int | None = _setting(None, _whole(1), "chunks after which a worker is replaced")
    threads_max: int | None = _setting(None, _whole(1), "BLAS, OpenMP threads of a worker; None: its share")
    pin: str | tuple[int, ...] = _setting("none", _PIN, "core, or numbers such as 0,2 or 0-3: one each")
    port_groups: tuple[object, ...] = _setting((), _GROUPS, "ports, cores and addresses of the servers")
    lame_duck: float = _setting(
        1.0, _seconds(zero=True), "seconds that a server that leaves ends connections"
    )
    drain_timeout: float = _setting(30.0, _seconds(), "seconds that its requests may take after that")
    requests_max: int | None = _setting(None, _whole(1), "requests after which a server is replaced")
    age_max: float | None = _setting(None, _seconds(), "seconds after which a server is replaced")
    health: object = _setting(None, _HEALTH, "check of a server: tcp, a path, or file.py:name of a function")
    health_interval: float = _setting(5.0, _seconds(), "seconds between two checks of a server")
    health_timeout: float = _setting(2.0, _seconds(), "seconds that a check may take")
    health_failures_max: int = _setting(3, _whole(1), "failures in a row that make a server unhealthy")
    spare: int = _setting(0, _whole(0), "processes of each port group that wait to replace a dead one")
    compute: object = _setting(None, _MODULE, "worker beside the servers, in procs_max processes")
    restarts_max: int = _setting(5, _COUNT, "crashes of a server slot in a minute before it is given up")
    log_format: str = _setting("text", _LOG, "what workers print: lines under their name, or JSON objects")
    name: str | None = _setting(None, _NAME, "what `eisenmp ps` calls the manager")

    def __init__(self, **values: object) -> None:
        values = {name: field.default for name, field in FIELDS.items()} | values
        self.__dict__.update(_resolve({name: (name, value) for name, value in values.items()}, {}))
        if self.resume and self.ledger is None:
            raise SettingsError("resume needs ledger, the file to go on from, not None")

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
        """The settings of `Mp(**keywords)`: a keyword goes before the environment, it before the default."""
        return cls(**_resolve({name: (name, value) for name, value in keywords.items()}, environ))

    @staticmethod
    def fields() -> Iterator[tuple[str, str, object, str]]:
        """(name, type, default, documentation) of each setting, for the command line and the manual."""
        for name, field in FIELDS.items():
            yield name, Settings.__annotations__[name], field.default, field.doc

    def replace(self, **changes: object) -> Settings:
        """The same settings but for `changes`."""
        return Settings(**{**self.__dict__, **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings do not change; replace({name}=...) makes new ones")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={_short(value)}' for name, value in vars(self).items())})"


FIELDS: dict[str, Field] = dict(zip(Settings.__annotations__, _declared, strict=True))
_DOOR = {
    spelling: name
    for name, field in FIELDS.items()
    for spelling in (PREFIX + name.upper(), *(() if field.door is None else (name.upper(), *field.door)))
}


def split_attributes(
    attributes: Mapping[str, object], environ: Mapping[str, str], base: Settings | None = None
) -> tuple[Settings, dict[str, object], list[str]]:
    """What `start(**attributes)` of 1.0 means: the settings, the user's variables, texts to warn with.

    The names of 1.0 are settings and stay visible as variables; newer ones are taken as `EISENMP_TIMEOUT`.
    None leaves a setting as it is in `base`; without a base, as the environment or the default has it.
    """
    given: dict[str, tuple[str, object]] = {}
    for spelling, name in _DOOR.items():
        if attributes.get(spelling) is not None:
            given.setdefault(name, (spelling, attributes[spelling]))
    if unknown := [name for name in attributes if name.startswith(PREFIX) and name not in _DOOR]:
        raise _unknown(unknown[0])
    settings = (base or Settings()).replace(**_resolve(given, {} if base else environ))
    variables = {name: value for name, value in attributes.items() if not name.startswith(PREFIX)}
    warnings = [text for name, value in variables.items() for text in _near_miss(name, value)]
    return settings, variables, warnings


def _resolve(given: Mapping[str, tuple[str, object]], environ: Mapping[str, str]) -> dict[str, object]:
    if unknown := [name for name in given if name not in FIELDS]:
        raise _unknown(unknown[0])
    values: dict[str, object] = {}
    for name, field in FIELDS.items():
        if name in given:
            values[name] = field.take(given[name][1], given[name][0])
        elif text := environ.get(PREFIX + name.upper(), "").strip():
            values[name] = field.take(text, PREFIX + name.upper(), text=True)
    return values


def _near_miss(name: str, value: object) -> Iterator[str]:
    # A program's own variables must raise no false alarm. So: one slip away from an UPPER_CASE name of 1.0,
    # or a setting in a spelling that is not taken here; and a value that it takes.
    if not isinstance(value, (str, int, float)) or name in _DOOR or set(name) & set("0123456789"):
        return
    for spelling, setting in _DOOR.items() if "_" in name else ():
        exact = name.upper() == spelling.upper() or name == spelling.removeprefix(PREFIX)
        if exact or (name.isupper() and _slipped(name, spelling)):
            try:
                FIELDS[setting].take(value, name)
            except SettingsError:
                return
            yield f"{name} goes to the toolbox as a variable of yours; the setting is {spelling}"
            return


def _slipped(name: str, spelling: str) -> bool:
    # PROC_MAX, PROCESS_MAX, INFO_ENABLED: each word begins like the one that is meant.
    words, meant = name.split("_"), [word.rstrip("S") for word in spelling.split("_")]
    if len(words) == len(meant) and all(map(str.startswith, words, meant)):
        return True
    # A letter left out, added or swapped; one in place of another makes a word of its own: PRODS_MAX.
    if abs(len(name) - len(spelling)) > 1 or (
        len(name) == len(spelling) and sorted(name) != sorted(spelling)
    ):
        return False
    cut = [{text[:i] + text[i + 1 :] for i in range(len(text))} | {text} for text in (name, spelling)]
    return not cut[0].isdisjoint(cut[1])


def _unknown(name: str) -> SettingsError:
    near = _nearest(name.removeprefix(PREFIX).lower(), FIELDS)
    if near is None:
        return SettingsError(f"{name!r} is not a setting; the settings are {', '.join(FIELDS)}")
    spelling = PREFIX + near.upper() if name.startswith(PREFIX) else near
    return SettingsError(f"{name!r} is not a setting; did you mean {spelling!r} ({FIELDS[near].expected})?")


def _nearest(name: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # only an error is worth the time of its import

    return next(iter(get_close_matches(name, list(names), 1)), None)


def _short(value: object) -> str:
    return text if len(text := repr(value)) <= 80 else f"{text[:77]}..."
