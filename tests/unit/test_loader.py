"""What a worker process makes of a description; each case in a fresh interpreter, as in a worker."""

from __future__ import annotations

import functools
import json
import os
import pickle
import py_compile
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eisenmp.child.contracts import worker
from eisenmp.child.import_failure import load_error
from eisenmp.child.loader import Source, check_signature, place
from eisenmp.errors import LoadError
from eisenmp.manager import source

PREAMBLE = """
import json, pickle, sys
from eisenmp.child import loader
from eisenmp.child.loader import load
from eisenmp.errors import LoadError
sources = pickle.loads(bytes.fromhex(sys.stdin.read()))
def failure(source):
    try:
        load(source)
    except LoadError as error:
        return str(error), error.path, error.line, error.traceback_text
"""


def in_worker(code: str, *specs: Any) -> str:
    """What the code prints in a fresh interpreter; `sources` there are the described specs."""
    sources = [source.resolve(spec) for spec in specs]
    run = subprocess.run(
        [sys.executable, "-P", "-c", PREAMBLE + textwrap.dedent(code)],
        input=pickle.dumps(sources).hex(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def failure(spec: Any) -> tuple[str, str, int | None, str]:
    """Message, path, line and traceback of the LoadError that loading the spec gives."""
    message, path, line, text = json.loads(in_worker("print(json.dumps(failure(sources[0])))", spec))
    return message, path, line, text


def write(folder: Path, files: dict[str, str] | None = None, **modules: str) -> None:
    """Write files by their path, and modules by their stem."""
    for name, text in {**(files or {}), **{f"{stem}.py": text for stem, text in modules.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def test_a_file_is_imported_under_its_stem_and_finds_its_siblings(tmp_path: Path) -> None:
    write(tmp_path, find="import helper\ndef find(toolbox): return helper.VALUE", helper="VALUE = 42")
    code = """
        find = load(sources[0])
        import find as again
        print(find(None), find.__module__, again.find is find)
    """
    assert in_worker(code, f"{tmp_path}/find.py:find") == "42 find True"


def test_a_file_in_many_rows_is_imported_once(tmp_path: Path) -> None:
    write(tmp_path, find="print('imported')\nclass Two:\n def run(toolbox): ...\ndef find(toolbox): ...")
    path = f"{tmp_path}/find.py"
    names = in_worker(
        "print(*(load(s).__qualname__ for s in sources))", *[f"{path}:find"] * 3, f"{path}:Two.run"
    )
    assert names == "imported\nfind find find Two.run"


def test_two_files_of_one_stem_and_their_helpers_do_not_mix(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(
            tmp_path / name,
            find=f"import helper\nclass Row: of = '{name}'\ndef find(toolbox): return helper.VALUE, Row()",
            helper=f"VALUE = '{name}'",
        )
    code = """
        for source in sources:
            value, row = load(source)(None)
            copy = pickle.loads(pickle.dumps(row))
            print(value, row.of, type(copy) is type(row))
    """
    specs = [f"{tmp_path}/{name}/find.py:find" for name in ("a", "b", "a")]
    assert in_worker(code, *specs) == "a a True\nb b True\na a True"
    # Whoever imports the helper later gets the one that had the name first.
    code = "for source in sources[:2]: load(source)\nimport helper\nprint(helper.VALUE)"
    assert in_worker(code, *specs) == "a"


def test_a_helper_that_imports_its_worker_file_gets_the_one_beside_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(
            tmp_path / name,
            find=f"import helper\nVALUE = '{name}'\ndef find(toolbox): return helper.find.VALUE",
            helper="import find",
        )
    specs = [f"{tmp_path}/{name}/find.py:find" for name in ("a", "b")]
    assert in_worker("print(*(load(source)(None) for source in sources))", *specs) == "a b"


def test_the_name_of_a_clashing_module_is_the_same_in_every_process(tmp_path: Path) -> None:
    write(tmp_path, queue="class Row: ...\ndef find(toolbox): return Row()")
    spec = f"{tmp_path}/queue.py:find"
    sent = in_worker("print(pickle.dumps(load(sources[0])(None)).hex())", spec)
    code = f"load(sources[0])\nprint(type(pickle.loads(bytes.fromhex('{sent}'))).__qualname__)"
    assert in_worker(code, spec) == "Row"


@pytest.mark.parametrize("stem", ["random", "queue", "json", "loader_stem_in_use"])
def test_a_file_named_like_a_module_in_use_replaces_nothing(tmp_path: Path, stem: str) -> None:
    text = f"import helper, {stem} as other\ndef find(toolbox): return other.__file__, helper.H"
    write(tmp_path, {f"{stem}.py": text})
    write(tmp_path, helper="H = 1")
    code = f"""
        sys.modules["loader_stem_in_use"] = loader
        found = load(sources[0])
        import {stem} as library
        print(found(None) == (library.__file__, 1), found.__globals__["__file__"])
        print(library.__file__.startswith({str(tmp_path)!r}))
    """
    assert in_worker(code, f"{tmp_path}/{stem}.py:find") == f"True {tmp_path}/{stem}.py\nFalse"


def test_a_sibling_named_like_the_standard_library_does_not_shadow_it(tmp_path: Path) -> None:
    write(tmp_path, find="import colorsys\ndef find(toolbox): return colorsys.rgb_to_hsv", colorsys="x = 1")
    assert in_worker("print(load(sources[0])(None).__name__)", f"{tmp_path}/find.py:find") == "rgb_to_hsv"


def test_folders_stand_behind_the_standard_library_and_before_installed_packages(tmp_path: Path) -> None:
    write(tmp_path, find="def find(toolbox): ...")
    code = f"""
        import os
        load(sources[0])
        folders = [folder for folder in sys.path if "-packages" in folder]
        place = sys.path.index({str(tmp_path)!r})
        print(sys.path.index(os.path.dirname(os.__file__)) < place < sys.path.index(folders[0]))
        before = list(sys.path)
        loader.add_folders(sys.path)
        print(before == sys.path)
    """
    assert in_worker(code, f"{tmp_path}/find.py:find") == "True\nTrue"


def test_relative_imports_work_in_a_package(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pkg/__init__.py": "VALUE = 1",
            "pkg/base.py": "VALUE = 2",
            "pkg/sub/__init__.py": "",
            "pkg/sub/near.py": "VALUE = 3",
            "pkg/sub/mod.py": """
                from . import near
                from .. import VALUE, base
                from pkg.base import VALUE as absolute
                import beside
                def find(toolbox): return VALUE, base.VALUE, near.VALUE, absolute, beside.VALUE, __name__
            """,
            "beside.py": "VALUE = 4",
        },
    )
    assert (
        in_worker("print(*load(sources[0])(None))", f"{tmp_path}/pkg/sub/mod.py:find")
        == "1 2 3 2 4 pkg.sub.mod"
    )


def test_a_mate_in_a_package_reaches_the_worker_by_its_stem(tmp_path: Path) -> None:
    # As in 1.0, where every file was imported by its stem, with its folder on sys.path.
    write(tmp_path, {"pkg/__init__.py": "", "pkg/find.py": "def find(toolbox): ..."})
    write(tmp_path, {"pkg/mate.py": "import find\ndef watch(toolbox): return find.find"})
    specs = [f"{tmp_path}/pkg/{name}" for name in ("find.py:find", "mate.py:watch")]
    assert in_worker("a, b = map(load, sources)\nprint(b(None) is a)", *specs) == "True"


@pytest.mark.parametrize("package", ["json", "pkg"])
def test_packages_of_one_name_do_not_mix(tmp_path: Path, package: str) -> None:
    for name in ("a", "b"):
        write(
            tmp_path / name,
            {
                f"{package}/__init__.py": "",
                f"{package}/near.py": f"VALUE = '{name}'",
                f"{package}/mod.py": "from .near import VALUE\ndef find(toolbox): return VALUE",
            },
        )
    specs = [f"{tmp_path}/{name}/{package}/mod.py:find" for name in ("a", "b", "a")]
    code = "print(*(load(source)(None) for source in sources))\nimport json\nprint(json.dumps(1))"
    assert in_worker(code, *specs) == "a b a\n1"


def test_a_package_or_module_of_that_name_further_up_on_the_path_is_not_taken(tmp_path: Path) -> None:
    for name in ("a", "b"):
        package = {"pkg/__init__.py": "", "pkg/mod.py": f"def find(toolbox): return '{name}'"}
        write(tmp_path / name, package, find=f"def find(toolbox): return '{name}'")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("find.py", "def find(toolbox): return 'c'")
    code = f"sys.path.insert(0, {str(tmp_path / 'a')!r})\nprint(load(sources[0])(None))"
    for path, expected in (("b/pkg/mod.py", "b"), ("b/find.py", "b"), ("c.zip/find.py", "c")):
        assert in_worker(code, f"{tmp_path}/{path}:find") == expected


def test_a_module_of_a_package_is_not_taken_for_an_installed_one(tmp_path: Path) -> None:
    # celery.py beside tasks.py is usual; `import pytest` here must stay the installed one.
    tasks = "import pytest\nfrom . import pytest as mine\ndef find(toolbox): return mine.MINE"
    write(tmp_path, {"pkg/__init__.py": "", "pkg/pytest.py": "MINE = 1", "pkg/tasks.py": tasks})
    code = """
        find = load(sources[0])
        print(find(None), hasattr(find.__globals__["pytest"], "raises"))
    """
    assert in_worker(code, f"{tmp_path}/pkg/tasks.py:find") == "1 True"


@pytest.mark.parametrize("name", ["my-worker.py", "a.b.py", "01.py", "worker", "find.pyw"])
def test_a_file_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        "class Row: ...\ndef find(toolbox): return pickle.dumps(Row())\nimport pickle"
    )
    code = "print(type(pickle.loads(load(sources[0])(None))).__qualname__)"
    assert in_worker(code, f"{tmp_path}/{name}:find") == "Row"


def test_a_package_itself_and_a_file_without_source(tmp_path: Path) -> None:
    near = {"pkg/__init__.py": "from .near import find", "pkg/near.py": "def find(toolbox): return 5"}
    write(tmp_path, near)
    assert in_worker("print(load(sources[0])(None))", f"{tmp_path}/pkg/__init__.py:find") == "5"
    write(tmp_path, late="def find(toolbox): return 6")
    py_compile.compile(str(tmp_path / "late.py"), cfile=str(tmp_path / "compiled.pyc"))
    assert in_worker("print(load(sources[0])(None))", f"{tmp_path}/compiled.pyc:find") == "6"


def test_modules_in_zips(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("pkg/__init__.py", "")
            archive.writestr("pkg/near.py", f"VALUE = '{name}'")
            archive.writestr("pkg/mod.py", "from .near import VALUE\ndef find(toolbox): return VALUE")
            archive.writestr("flat/queue.py", "import beside\ndef find(toolbox): return beside.VALUE")
            archive.writestr("flat/beside.py", "VALUE = 'flat'")
            archive.writestr("top.py", f"class Row: VALUE = '{name}'\ndef find(toolbox): return Row()")
            archive.writestr("bad.py", "\n\n1 / 0\n")
    inner = ("pkg/mod.py", "flat/queue.py", "pkg/mod.py")
    specs = [f"{tmp_path}/{name}.zip/{path}:find" for name in ("a", "b") for path in inner]
    code = "print(*(load(source)(None) for source in sources))\nimport queue\nprint(queue.Queue.__name__)"
    assert in_worker(code, *specs) == "a flat a b flat b\nQueue"
    code = """
        for source in sources:
            print(pickle.loads(pickle.dumps(load(source)(None))).VALUE)
    """
    assert in_worker(code, *[f"{tmp_path}/{name}.zip/top.py:find" for name in ("a", "b")]) == "a\nb"
    message, _, line, text = failure(f"{tmp_path}/a.zip/bad.py:find")
    assert message == f"{tmp_path}/a.zip/bad.py:3: ZeroDivisionError: division by zero"
    assert line == 3 and "1 / 0" in text


def test_a_module_by_name_and_by_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"pkg/__init__.py": "", "pkg/mod.py": "def find(toolbox): return __name__"})
    monkeypatch.syspath_prepend(tmp_path)
    code = f"""
        sys.path.append({str(tmp_path)!r})
        print(*(load(source)(None) for source in sources[:2]), load(sources[2])(9))
    """
    from pkg.mod import find  # type: ignore[import-not-found]

    try:
        assert in_worker(code, "pkg.mod:find", find, "math:sqrt") == "pkg.mod pkg.mod 3.0"
    finally:
        for name in ("pkg.mod", "pkg"):
            del sys.modules[name]


def test_a_function_whose_module_the_worker_cannot_find_comes_from_its_file(tmp_path: Path) -> None:
    write(tmp_path, find="def find(toolbox): return 7")
    lost = Source("module", "find", f"{tmp_path}/find.py", "loaded_by.another_name")
    other = Source("module", "find", f"{tmp_path}/find.py", "json")
    assert in_worker("print(*(load(source)(None) for source in sources))", lost, other) == "7 7"


def test_a_callable_by_value() -> None:
    limit = 40
    assert in_worker("print(load(sources[0])(2))", lambda row: row + limit) == "42"


def test_a_remote_module_runs_from_its_text_and_tracebacks_show_its_lines() -> None:
    url = "https://host/find.py"
    text = b"# coding: latin-1\nUMLAUT = '\xe4'\ndef find(toolbox):\n    raise ValueError(UMLAUT)  # here\n"
    code = """
        import traceback
        print("linecache" in after)
        try:
            find(None)
        except ValueError as error:
            print(error.args == ("\\xe4",), find.__module__)
            traceback.print_exc(file=sys.stdout)
    """
    preload = "before = set(sys.modules)\nfind = load(sources[0])\nafter = set(sys.modules) - before"
    printed = in_worker(preload + textwrap.dedent(code), Source("remote", "find", url, "find", content=text))
    assert printed.startswith("False\nTrue find\n")
    assert f'File "{url}", line 4, in find\n    raise ValueError(UMLAUT)  # here' in printed


def test_a_remote_module_gives_way_to_other_names() -> None:
    sources = [
        Source("remote", "find", f"https://{host}/queue.py", "queue", content=b"def find(t): return __file__")
        for host in ("a", "b")
    ]
    code = "print(*(load(source)(None) for source in sources))\nimport queue\nprint(queue.Queue.__name__)"
    assert in_worker(code, *sources) == "https://a/queue.py https://b/queue.py\nQueue"


def test_an_import_that_raises_names_the_line_of_the_user(tmp_path: Path) -> None:
    write(
        tmp_path, find="import helper\n\nhelper.load('x')\n", helper="def load(text):\n    return int(text)\n"
    )
    message, path, line, text = failure(f"{tmp_path}/find.py:find")
    assert message == f"{tmp_path}/helper.py:2: ValueError: invalid literal for int() with base 10: 'x'"
    assert (path, line) == (f"{tmp_path}/helper.py", 2)
    assert text.startswith(f'Traceback (most recent call last):\n  File "{tmp_path}/find.py", line 3')
    assert text.endswith("ValueError: invalid literal for int() with base 10: 'x'\n")


def test_an_error_inside_a_library_names_the_line_that_called_it(tmp_path: Path) -> None:
    write(tmp_path, find="import json\n\nDATA = json.loads('{')\n")
    message, _, line, text = failure(f"{tmp_path}/find.py:find")
    assert message.startswith(f"{tmp_path}/find.py:3: JSONDecodeError: ") and line == 3
    assert "decoder.py" in text
    write(tmp_path / "site-packages", find="import json\n\nDATA = json.loads('{')\n")  # itself a library
    assert failure(f"{tmp_path}/site-packages/find.py:find")[2] == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import sys\nsys.exit(3)", "find.py:2: SystemExit: 3; the module ends the interpreter"),
        ("import no_such_one", "find.py:1: ModuleNotFoundError: No module named 'no_such_one'"),
        ("import broken", "broken.py:2: SyntaxError: "),
        ("class Odd(Exception):\n def __str__(self): return ''\nraise Odd", "find.py:3: Odd: "),
        ("raise RuntimeError('x') from KeyError('y')", "find.py:1: RuntimeError: x"),
    ],
)
def test_every_way_to_fail_while_imported(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, find=text, broken="x = 1\ny = (\n")
    assert failure(f"{tmp_path}/find.py:find")[0].startswith(f"{tmp_path}/{expected}")


def test_a_failed_import_leaves_no_half_module_behind(tmp_path: Path) -> None:
    write(tmp_path, find="print('again')\n1 / 0")
    code = """
        for _ in range(2):
            failure(sources[0])
            print("find" in sys.modules)
    """
    assert in_worker(code, f"{tmp_path}/find.py:find") == "again\nFalse\nagain\nFalse"


def test_an_init_that_raises_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/__init__.py": "\n1 / 0", "pkg/mod.py": "def find(toolbox): ..."})
    assert failure(f"{tmp_path}/pkg/mod.py:find")[0].startswith(f"{tmp_path}/pkg/__init__.py:2: ZeroDivision")


def test_a_file_that_went_away(tmp_path: Path) -> None:
    lost = Source("file", "find", f"{tmp_path}/find.py", "find", str(tmp_path))
    assert failure(lost)[0] == f"{tmp_path}/find.py: ModuleNotFoundError: No module named 'find'"
    assert failure(Source("module", "find", "", "no_such.mod"))[0] == (
        "no_such.mod: ModuleNotFoundError: No module named 'no_such'"
    )
    assert failure(Source("value", "find", content=b"junk"))[0].startswith("find: UnpicklingError")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fnid", "there is no 'fnid' in it; did you mean 'find'?"),
        ("xxxx", "there is no 'xxxx' in it"),
        ("Owner.fnd", "there is no 'fnd' in it (asked for 'Owner.fnd'); did you mean 'find'?"),
        ("ROWS", "'ROWS' is a list and cannot be called"),
    ],
)
def test_a_name_that_is_missing_or_no_function(tmp_path: Path, name: str, expected: str) -> None:
    write(tmp_path, find="ROWS = [1]\ndef find(toolbox): ...\nclass Owner:\n def find(toolbox): ...")
    assert failure(f"{tmp_path}/find.py:{name}")[0] == f"{tmp_path}/find.py: {expected}"


def test_load_object_gives_what_cannot_be_called(tmp_path: Path) -> None:
    write(tmp_path, find="ROWS = [1]")
    assert in_worker("print(loader.load_object(sources[0]))", f"{tmp_path}/find.py:ROWS") == "[1]"


def test_a_load_error_keeps_its_details_through_pickle() -> None:
    error = load_error("find.py:3: no", path="find.py", line=3, traceback_text="text")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, LoadError) and str(copy) == "find.py:3: no"
    assert (copy.path, vars(copy)["line"], vars(copy)["traceback_text"]) == ("find.py", 3, "text")


def test_loading_a_file_imports_nothing_heavy(tmp_path: Path) -> None:
    write(tmp_path, find="def find(toolbox): ...")
    code = f"""if True:
        import sys
        before = set(sys.modules)
        from eisenmp.child.loader import Source, check_signature, load
        source = Source("file", "find", {str(tmp_path / "find.py")!r}, "find", {str(tmp_path)!r})
        check_signature(load(source), ("toolbox",))
        print(*sorted(set(sys.modules) - before))
    """
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "find" in loaded
    heavy = {
        "re",
        "typing",
        "inspect",
        "contextlib",
        "functools",
        "traceback",
        "linecache",
        "pickle",
        "difflib",
    }
    assert not loaded & (heavy | {"importlib.util", "importlib.abc", "eisenmp.errors"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/x/find.py", ("/x", "find")),
        ("/find.py", ("/", "find")),
        ("/x/a.b.py", ("/x", "a_b")),
        ("/x/find.cpython-311-x86_64-linux-gnu.so", ("/x", "find")),
        ("/top/pkg/find.py", ("/top", "pkg.find")),
        ("/top/pkg/__init__.py", ("/top", "pkg")),
        ("/top/my-dir/find.py", ("/top/my-dir", "find")),
        ("/top/my-dir/__init__.py", ("/top/my-dir", "__init__")),
    ],
)
def test_the_place_of_a_file(path: str, expected: tuple[str, str]) -> None:
    packages = {os.path.normpath(f"/top/{name}/__init__.py") for name in ("pkg", "my-dir")}
    assert place(path, packages.__contains__) == expected


def none() -> None: ...
def one(toolbox: object) -> None: ...
def two(toolbox: object, rows: object) -> None: ...
def optional(toolbox: object, rows: object = None) -> None: ...
def endless(*toolbox: object) -> None: ...
def one_endless(toolbox: object, *rest: object) -> None: ...
def named(toolbox: object, *, limit: int) -> None: ...
def named_optional(toolbox: object, *, limit: int = 1, **rest: object) -> None: ...
def positional(toolbox: object, /) -> None: ...


class Called:
    def __call__(self, toolbox: object) -> None: ...

    def method(self, toolbox: object) -> None: ...

    def empty(self) -> None: ...

    @classmethod
    def of_class(cls, toolbox: object) -> None: ...

    @staticmethod
    def static(toolbox: object) -> None: ...


FITTING: list[Callable[..., object]] = [
    *(one, optional, endless, one_endless, named_optional, positional, print, len, [].append),
    *(Called, Called(), Called().method, Called.of_class, Called.static, lambda toolbox: None),
    *(functools.partial(two, 1), functools.partial(two, rows=1), functools.partial(named, limit=2)),
    *(functools.partial(functools.partial(two, 1)), functools.partial(Called()), functools.lru_cache(one)),
]


@pytest.mark.parametrize("function", FITTING)
def test_a_signature_that_fits(function: Callable[..., object]) -> None:
    check_signature(function, ("toolbox",))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (none, "worker 'none' takes 0 arguments, is called with (toolbox)"),
        (two, "worker 'two' takes 2 arguments, is called with (toolbox)"),
        (named, "worker 'named' needs the keyword argument 'limit', is called with (toolbox)"),
        (Called().empty, "worker 'Called.empty' takes 0 arguments, is called with (toolbox)"),
        (worker(two), "worker 'two' takes 2 arguments, is called with (toolbox)"),
        (functools.partial(one, 1), "worker 'one' takes 0 arguments, is called with (toolbox)"),
        (functools.partial(two), "worker 'two' takes 2 arguments, is called with (toolbox)"),
    ],
)
def test_a_signature_that_does_not_fit(function: Callable[..., object], text: str) -> None:
    with pytest.raises(LoadError, match=r":\d+: worker '") as caught:
        check_signature(function, ("toolbox",))
    assert str(caught.value).partition(": ")[2] == text


def test_counts_and_role_in_the_message() -> None:
    with pytest.raises(
        LoadError, match=r"mate 'one' takes 1 argument, is called with \(toolbox, rows\)$"
    ) as caught:
        check_signature(one, ("toolbox", "rows"), role="mate")
    line = one.__code__.co_firstlineno
    assert (caught.value.path, vars(caught.value)["line"]) == (__file__, line)
    assert str(caught.value).startswith(f"{__file__}:{line}: ")
    with pytest.raises(LoadError, match="takes 1 to 2 arguments, is called with"):
        check_signature(optional, ())
    with pytest.raises(LoadError, match="takes at least 1 argument, is called with"):
        check_signature(one_endless, ())
