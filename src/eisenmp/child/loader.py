"""Turn the description of a worker module into the callable it names, in the process that will call it.

The manager describes (`manager/source.py`), the worker loads: nothing here asks the network, and the
`__main__` of the caller is never imported.

A file is imported under its stem, as `import find` would name it, or as part of its package when its folder
has an `__init__.py`. Where that name belongs to the standard library or to another file, the module lives
below a package of its own, called after its folder: `eisenmp_1f0c9a3b.queue`. Both are the same in every
worker. Objects of classes that such a module defines are pickled by reference, so whoever unpickles them, the
manager included, has to find the module under that name: import it there too, or send plain data.
"""

from __future__ import annotations

import _frozen_importlib_external as machinery  # importlib.machinery, without the package and its warnings
import os
import sys
from _frozen_importlib import ModuleSpec
from _thread import RLock

from ..core.record import NamedTuple
from .unguarded import ManagerStarted, imported, up_to_manager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.abc import Loader
    from types import ModuleType
    from typing import Any
else:
    Loader = object


class Source(NamedTuple):
    """Where a worker comes from: text and bytes only, so that it travels to any process.

    `kind` is "file" (on disk or inside a zip), "module", "remote" or "value". `name` is what to take out of
    the module, `Class.method` included. `path` is the file or the url. `module` is the dotted name to import,
    which for a file is found below `base`, a folder or a zip. `content` is the source of a remote module, or
    the pickle of a callable that travels by value.
    """

    kind: str
    name: str
    path: str = ""
    module: str = ""
    base: str = ""
    content: bytes = b""


def load(source: Source) -> Callable[..., object]:
    """The callable that `source` describes; its module is imported on first use, and only once.

    LoadError names file and line when the import fails, the name is missing or cannot be called.
    """
    found = load_object(source)
    if not callable(found):
        from .import_failure import load_error

        place = source.path or source.module
        kind = type(found).__name__
        raise load_error(f"{place}: '{source.name}' is a {kind} and cannot be called", path=source.path)
    return found


def load_object(source: Source) -> object:
    """Like `load`, for what need not be callable."""
    try:
        if source.kind == "value":
            from pickle import loads

            return loads(source.content)
        with _loading:
            module = imported(_import, source)
    except (Exception, SystemExit, ManagerStarted) as error:
        from .import_failure import import_failure

        raise import_failure(source, error) from error
    found: object = module
    for part in source.name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            from .import_failure import missing_name

            raise missing_name(source, found, part) from None
    return found


def place(path: str, exists: Callable[[str], bool] = os.path.isfile) -> tuple[str, str]:
    """The folder that has to be on sys.path for the file at `path`, and the dotted name it has from there.

    Folders with an `__init__.py` are packages: `/x/pkg/sub/find.py` -> `("/x", "pkg.sub.find")`.
    """
    folder, file = os.path.split(path)
    stem, suffix = os.path.splitext(file)
    if suffix in (".so", ".pyd"):
        stem = stem.partition(".")[0]
    parts = [] if stem == "__init__" else [stem.replace(".", "_")]
    while exists(os.path.join(folder, "__init__.py")) and os.path.basename(folder).isidentifier():
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    return folder, ".".join(parts) or stem


def add_folders(folders: Iterable[str], *, last: bool = False) -> None:
    """Put folders on sys.path where they are missing: behind the standard library, before installed packages.

    The first place, where 1.0 and `python file.py` put them, would let a `queue.py` beside a worker replace
    the standard library's; behind the installed packages, a stray package `helper` would replace the user's.
    """
    library = os.path.dirname(os.__file__)
    index = len(sys.path)
    if not last:
        ends = [
            number
            for number, entry in enumerate(sys.path, 1)
            if entry == library or os.path.basename(entry) in ("lib-dynload", "DLLs")
        ]
        index = max(ends, default=index)
    sys.path[index:index] = [folder for folder in dict.fromkeys(folders) if folder not in sys.path]


def check_signature(fn: Callable[..., object], arguments: tuple[str, ...], *, role: str = "worker") -> None:
    """Raise LoadError where `fn` cannot be called with `arguments` by position; `role` is for the message.

    Reads code objects only (importing inspect takes longer than starting a worker); what has none, a class or
    a function of a C library, is not judged.
    """
    given, keywords = len(arguments), set[str]()
    target: Any = fn
    functools = sys.modules.get("functools")
    while functools is not None and isinstance(target, functools.partial):
        given += len(target.args)
        keywords |= set(target.keywords)
        target = target.func
    if isinstance(target, type):
        return
    if not hasattr(target, "__code__") and not hasattr(target, "__func__"):
        target = target.__call__
    if hasattr(target, "__func__"):
        given, target = given + 1, target.__func__
    code = getattr(target, "__code__", None)
    if code is None:
        return
    most = code.co_argcount
    least = most - len(target.__defaults__ or ())
    named = code.co_varnames[most : most + code.co_kwonlyargcount]
    missing = [name for name in named if name not in keywords and name not in (target.__kwdefaults__ or ())]
    unfilled = [name for name in code.co_varnames[given:least] if name not in keywords]
    any_number = bool(code.co_flags & 4)
    if not missing and not unfilled and (given <= most or any_number):
        return
    from .import_failure import load_error

    bound = given - len(arguments)
    least, most = max(0, least - bound), max(0, most - bound)
    count = f"at least {least}" if any_number else f"{least} to {most}" if least < most else str(most)
    takes = f"takes {count} argument{'' if count in ('1', 'at least 1') else 's'}"
    if missing:
        takes = f"needs the keyword argument '{missing[0]}'"
    name = getattr(fn, "__qualname__", None) or getattr(target, "__qualname__", type(fn).__name__)
    file, line = code.co_filename, code.co_firstlineno
    call = ", ".join(arguments)
    raise load_error(f"{file}:{line}: {role} '{name}' {takes}, is called with ({call})", path=file, line=line)


class _ExactFinder:
    """Finds a module where it is said to be, whatever else of that name sys.path has to offer."""

    def __init__(self) -> None:
        self.specs: dict[str, ModuleSpec] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return self.specs.get(name)


class _TextLoader(Loader):
    """Executes a text that came from a url; `get_source` shows its lines in tracebacks, only when asked."""

    def __init__(self, url: str, content: bytes) -> None:
        self.url = url
        self.content = content

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.url
        exec(compile(self.content, self.url, "exec", dont_inherit=True), vars(module))

    def get_source(self, name: str) -> str:
        from importlib.util import decode_source

        return decode_source(self.content)


_finder = _ExactFinder()
_loading = RLock()  # workers that are threads of one process load at the same time
_homes: set[str] = set()  # folders of worker files that are in no package


def _import(source: Source) -> ModuleType:
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    if source.kind == "remote":
        return _import_text(source)
    if source.kind == "module":
        return _import_named(source)
    return _import_file(source.path, source.module, source.base)


def _import_file(path: str, name: str, base: str) -> ModuleType:
    root = name.partition(".")[0]
    packaged = root != name or os.path.basename(path).startswith("__init__.")
    prefix = _prefix(root, os.path.join(base, root, "__init__.py") if packaged else path, base)
    add_folders([base])
    if packaged:
        # 1.0 found the siblings of a file without naming the package. They come last, because modules of a
        # package are often called like the library that they wrap (celery.py, redis.py).
        add_folders([os.path.dirname(path)], last=True)
    on_disk = os.path.isfile(path)
    if packaged or not on_disk:
        spec = machinery.PathFinder.find_spec(prefix + root, [base])
        if spec is not None:
            _finder.specs[prefix + root] = spec
    if on_disk:
        _finder.specs[prefix + name] = up_to_manager(_file_spec(prefix + name, path))
    aside = {} if packaged else _set_aside(base)
    try:
        module = _module(prefix + name)
    finally:
        sys.modules.update(aside)
        for stranger in aside:
            _finder.specs.pop(stranger, None)
    if packaged:
        _share_stem(module, path)
    return module


def _import_named(source: Source) -> ModuleType:
    on_disk = os.path.isfile(source.path)
    try:
        module = _module(source.module)
    except ModuleNotFoundError as error:
        if not on_disk or not f"{source.module}.".startswith(f"{error.name}."):
            raise
    else:
        # Where the manager took the function from another file of that name, the file decides.
        if not on_disk or _is_from(module, source.path):
            return module
    base, name = place(source.path)
    return _import_file(source.path, name, base)


def _import_text(source: Source) -> ModuleType:
    name = _prefix(source.module, source.path, source.path) + source.module
    loader = _TextLoader(source.path, source.content)
    _finder.specs[name] = ModuleSpec(name, loader, origin=source.path)
    return _module(name)


def _module(name: str) -> ModuleType:
    __import__(name)
    return sys.modules[name]


def _file_spec(name: str, path: str) -> ModuleSpec:
    """What importlib.util.spec_from_file_location gives, without the contextlib that it imports."""
    loader: machinery.SourceFileLoader | machinery.SourcelessFileLoader | machinery.ExtensionFileLoader
    if path.endswith(tuple(machinery.EXTENSION_SUFFIXES)):
        loader = machinery.ExtensionFileLoader(name, path)
    elif path.endswith(tuple(machinery.BYTECODE_SUFFIXES)):
        loader = machinery.SourcelessFileLoader(name, path)
    else:
        loader = machinery.SourceFileLoader(name, path)
    package = os.path.basename(path).startswith("__init__.")
    spec = ModuleSpec(name, loader, origin=path, is_package=package)
    spec.has_location = True
    if package:
        spec.submodule_search_locations = [os.path.dirname(path)]
    return spec


def _prefix(root: str, origin: str, base: str) -> str:
    """Nothing where the name `root` is free for the file `origin`, else the package to put it below."""
    taken = sys.modules.get(root)
    if root not in sys.stdlib_module_names and (taken is None or _is_from(taken, origin)):
        return ""
    from binascii import crc32

    shelter = f"eisenmp_{crc32(os.path.normcase(base).encode('utf-8', 'surrogateescape')):08x}"
    if shelter not in sys.modules:
        module = type(sys)(shelter)
        module.__path__ = [base]
        sys.modules[shelter] = module
    return shelter + "."


def _is_from(module: ModuleType, path: str) -> bool:
    file = getattr(module, "__file__", None)
    return file == path or (isinstance(file, str) and os.path.realpath(file) == os.path.realpath(path))


def _set_aside(base: str) -> dict[str, ModuleType]:
    """Take out of sys.modules what worker files of other folders imported and `base` has a file for.

    So each worker file imports the `helper` beside it, not the one that came first.
    """
    # a copy, since others may import: list(items()) makes pairs, which may bring the collector of garbage
    strangers = {
        name: module
        for name, module in sys.modules.copy().items()
        if os.path.dirname(getattr(module, "__file__", None) or "") in _homes - {base}
        and os.path.isfile(os.path.join(base, name + ".py"))
    }
    _homes.add(base)
    for name in strangers:
        sys.modules.pop(name, None)
        _finder.specs[name] = _file_spec(name, os.path.join(base, name + ".py"))
    return strangers


def _share_stem(module: ModuleType, path: str) -> None:
    """A mate that imports the worker by its stem, as in 1.0, gets the same module and not a second one."""
    stem = module.__name__.rpartition(".")[2]
    if stem not in sys.modules and stem not in sys.stdlib_module_names:
        spec = machinery.PathFinder.find_spec(stem)
        if spec is not None and spec.origin == path:
            sys.modules[stem] = module
