"""What the user wrote for a worker module, turned into a description that any process can load.

Nothing is executed here, and what can be found out early is: a file that is missing, a syntax error, a remote
module that is not what its hash says. So a mistake is reported before any process starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from threading import Lock

from ..child.import_failure import load_error
from ..child.loader import Source, place
from ..errors import LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

    from .remote import Remote

    Spec = str | Mapping[str, object] | Callable[..., object] | Remote | Source

FORMS = (
    "'path/to/file.py:name', 'package.module:name', 'https://host/file.py:name#sha256=…', a function, "
    "an eisenmp.Remote, or {'WORKER_PATH': path, 'WORKER_REF': name}"
)


def is_empty(spec: object) -> bool:
    """An empty row of a `worker_modules` list, which 1.0 skips."""
    return isinstance(spec, (dict, list, tuple)) and not spec


def resolve_all(specs: Iterable[Spec], *, allow_unpinned: bool = False) -> tuple[Source, ...]:
    """The descriptions of all rows in their order, empty ones left out; what stands twice is fetched once."""
    done: list[tuple[Spec, Source]] = []
    for spec in specs:
        if not is_empty(spec):
            known = [source for earlier, source in done if type(earlier) is type(spec) and earlier == spec]
            done.append((spec, known[0] if known else resolve(spec, allow_unpinned=allow_unpinned)))
    return tuple(source for _, source in done)


def resolve(spec: Spec, *, allow_unpinned: bool = False) -> Source:
    """The description of one worker module; LoadError says what is wrong with it.

    `allow_unpinned` lets a url without a hash be fetched; see `eisenmp.Remote`.
    """
    if isinstance(spec, Source):
        return spec
    if isinstance(spec, str):
        return _from_text(spec, allow_unpinned)
    if isinstance(spec, Mapping):
        return _from_mapping(spec, allow_unpinned)
    if callable(spec):
        return _from_callable(spec)
    from .remote import Remote  # it imports ssl, which the others need not wait for

    if isinstance(spec, Remote):
        return _from_remote(spec, allow_unpinned)
    hint = f"; name the function in it, as in '{spec.__name__}:name'" if isinstance(spec, type(sys)) else ""
    raise load_error(f"a worker module is {FORMS}; not a {type(spec).__name__}{hint}")


def share_main(sources: Iterable[Source]) -> None:
    """Let what workers send back be of the classes that the program itself has, when they load its own file.

    They import the file under its stem; to import it here too, for a result, would run the program again.
    """
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    for source in sources:
        if (
            main is not None
            and file
            and source.kind == "file"
            and os.path.realpath(file) == os.path.realpath(source.path)
        ):
            sys.modules.setdefault(source.module, main)


def split_reference(text: str) -> tuple[str, str]:
    """`'C:\\\\work\\\\find.py:Class.method'` -> `('C:\\\\work\\\\find.py', 'Class.method')`."""
    where, _, name = text.rpartition(":")
    if not where or not all(part.isidentifier() for part in name.split(".")):
        raise load_error(f"'{text}' does not say which function; a worker module is {FORMS}")
    return where, name


def _from_text(text: str, allow_unpinned: bool) -> Source:
    if "://" in text:
        from .remote import Remote

        return _from_remote(Remote(text), allow_unpinned)
    where, name = split_reference(text)
    if where == "__main__":
        raise load_error("workers do not import '__main__'; give the function itself, it travels by value")
    is_path = any(mark in where for mark in "/\\") or where.endswith((".py", ".pyc", ".pyw", ".so", ".pyd"))
    if not is_path and all(part.isidentifier() for part in where.split(".")):
        return _from_module(where, name)
    return _from_file(where, name)


def _from_mapping(row: Mapping[str, object], allow_unpinned: bool) -> Source:
    given = {str(key).lower(): value for key, value in row.items()}
    for key in ("worker_path", "worker_ref"):
        if key not in given:
            raise load_error(
                f"a row of worker_modules needs 'WORKER_PATH' and 'WORKER_REF', in upper or lower case; "
                f"'{key.upper()}' is missing in {dict(row)!r}"
            )
    where, name = given["worker_path"], given["worker_ref"]
    if not isinstance(where, (str, os.PathLike)) or not isinstance(name, str):
        raise load_error(f"WORKER_PATH and WORKER_REF are texts; given is {dict(row)!r}")
    where = os.fspath(where)
    if "://" in where:
        from .remote import Remote

        return _from_remote(Remote(where, name=name), allow_unpinned)
    split_reference(f"{where}:{name}")
    if not os.path.exists(where) and os.path.isfile(where + ".py"):
        where += ".py"  # 1.0 cut the suffix off, so programs may leave it out
    return _from_file(where, name)


def _from_remote(remote: Remote, allow_unpinned: bool) -> Source:
    from .remote import fetch

    name = remote.name
    if not name:
        raise load_error(f"{remote.url}: which function? Write 'https://host/find.py:name#sha256=…'")
    content = fetch(remote, allow_unpinned=allow_unpinned)
    _compile(content, remote.url)
    stem = remote.url.partition("?")[0].rpartition("/")[2].removesuffix(".py")
    module = "".join(letter if letter.isidentifier() or letter.isdigit() else "_" for letter in stem)
    return Source("remote", name, remote.url, module or "remote", content=content)


def _from_file(where: str, name: str) -> Source:
    path = os.path.abspath(os.path.expanduser(where))
    if os.path.isdir(path):
        raise load_error(f"{path}: is a folder; name the file in it that has '{name}'", path=path)
    if not os.path.isfile(path):
        return _from_zip(path, name)
    try:
        with open(path, "rb") as file:
            content = file.read() if _is_text(path) else b""
    except OSError as error:
        raise load_error(f"{path}: {error.strerror}", path=path) from error
    _compile(content, path)
    base, module = place(path)
    return Source("file", name, path, module, base)


def _from_zip(path: str, name: str) -> Source:
    archive = os.path.dirname(path)
    while not os.path.exists(archive) and os.path.dirname(archive) != archive:
        archive = os.path.dirname(archive)
    if not os.path.isfile(archive):
        raise load_error(f"{path}: there is no such file", path=path)
    from zipfile import BadZipFile, ZipFile

    def inner(of: str) -> str:
        return os.path.relpath(of, archive).replace(os.sep, "/")

    try:
        with ZipFile(archive) as opened:
            members = set(opened.namelist())
            if inner(path) not in members:
                raise load_error(f"{path}: there is no '{inner(path)}' in this zip", path=path)
            content = opened.read(inner(path)) if _is_text(path) else b""
    except (BadZipFile, OSError) as error:
        raise load_error(f"{path}: {archive} is no zip that can be read: {error}", path=path) from error
    _compile(content, path)
    # A zip is never a package itself, even with an __init__.py at its top.
    base, module = place(path, lambda file: os.path.dirname(file) != archive and inner(file) in members)
    return Source("file", name, path, module, base)


def _from_module(module: str, name: str) -> Source:
    path = _find_module(module)
    if module not in sys.modules and os.path.isfile(path) and _is_text(path):
        with open(path, "rb") as file:
            _compile(file.read(), path)
    return Source("module", name, path, module)


def _find_module(module: str) -> str:
    """The file of a module, empty where it has none; not even its package is imported."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None) or ""
    from importlib.machinery import PathFinder
    from importlib.util import find_spec

    root, *rest = module.split(".")
    loaded = sys.modules.get(root)
    spec = loaded.__spec__ if loaded is not None else find_spec(root)
    if spec is None and loaded is None:
        where = "in the folders of sys.path" + (f"; for a file write '{root}.py:…'" if not rest else "")
        raise load_error(f"there is no module '{root}' {where}")
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return ""  # what a package makes up while it is imported can only be seen by the worker
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return (spec.origin or "") if spec is not None and spec.has_location else ""


def _from_callable(fn: Callable[..., object]) -> Source:
    reference = _reference(fn)
    if reference is not None:
        module, name = reference
        path = getattr(sys.modules[module], "__file__", None)
        return Source("module", name, os.path.abspath(path) if path else "", module)
    name = getattr(fn, "__qualname__", type(fn).__name__)
    try:
        from cloudpickle import dumps
    except ImportError as error:
        raise load_error(
            f"no worker can import '{name}' from '{getattr(fn, '__module__', None)}'; to send it by value "
            f"takes the library cloudpickle, which is not installed; install it, or put the function into "
            f"a file and write 'file.py:{name.rpartition('.')[2]}'"
        ) from error
    try:
        content: bytes = dumps(fn)
    except Exception as error:
        raise load_error(
            f"'{name}' cannot be sent to a worker by value: {type(error).__name__}: {error}; put it into a "
            f"file of its own, or leave out what it refers to"
        ) from error
    code = _code(fn)
    return Source("value", name, code.co_filename if code else "", content=content)


def _reference(fn: Callable[..., object]) -> tuple[str, str] | None:
    """Module and name by which any process finds this very object; None for what only this process has."""
    origin: object = fn
    while origin is not None:
        module = getattr(origin, "__module__", None)
        name = getattr(origin, "__qualname__", None) or getattr(origin, "__name__", None)
        if isinstance(module, str) and isinstance(name, str) and module != "__main__":
            home = sys.modules.get(module)
            if getattr(home, "__spec__", None) is not None:
                found: object = home
                for part in name.split("."):
                    found = getattr(found, part, None)
                # A method of a class is a new object each time it is asked for.
                if found is fn or (type(found) is type(fn) and hasattr(fn, "__func__") and found == fn):
                    return module, name
        origin = getattr(origin, "__wrapped__", None)
    return None


def _code(fn: object) -> CodeType | None:
    while hasattr(fn, "__wrapped__"):
        fn = fn.__wrapped__
    return getattr(fn, "__code__", None)


def _is_text(path: str) -> bool:
    # importlib.machinery, without the package
    from _frozen_importlib_external import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES

    return not path.endswith((*BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES))


_compiling = Lock()
_sound: set[int] = set()  #: hashes of texts that were compiled, of which the next manager need not know more


def _compile(content: bytes, path: str) -> None:
    """LoadError with the line where the text is not Python; nothing is executed."""
    import warnings

    known = hash(content)
    if known in _sound:
        return
    try:
        # its filters belong to the whole process: two threads one after another
        with _compiling, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the worker gives them, once
            compile(content, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _syntax_error(error, path) from error
    except ValueError as error:
        raise load_error(f"{path}: {error}", path=path) from error
    _sound.add(known)


def _syntax_error(error: SyntaxError, path: str) -> LoadError:
    import traceback

    text = "".join(traceback.format_exception_only(error))
    where = f"{path}:{error.lineno}" if error.lineno else path
    message = f"{where}: {type(error).__name__}: {error.msg}"
    return load_error(message, path=path, line=error.lineno, traceback_text=text)
