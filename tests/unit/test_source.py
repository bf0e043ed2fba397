"""Every way to name a worker module, and what is found out before any process starts."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eisenmp.child.contracts import worker
from eisenmp.child.loader import Source
from eisenmp.errors import LoadError, SettingsError
from eisenmp.manager import source
from eisenmp.manager.remote import Remote

HASH = "0a" * 32


def plain(toolbox: object) -> bool:
    return False


@worker
def decorated(toolbox: object, rows: list[int]) -> int:
    return sum(rows)


class Owner:
    @classmethod
    def entry(cls, toolbox: object) -> bool:
        return False

    @staticmethod
    def free(toolbox: object) -> bool:
        return False


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


@logged
def wrapped(toolbox: object) -> bool:
    return False


def make_closure(value: object) -> Callable[..., object]:
    def find(*arguments: object) -> object:
        return value

    return find


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with find.py and a package pkg in it."""
    (tmp_path / "find.py").write_text("def find(toolbox):\n    return False\n")
    (tmp_path / "pkg" / "sub").mkdir(parents=True)
    for name in ("pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/mod.py"):
        (tmp_path / name).write_text("raise RuntimeError('executed')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("spelling", ["find.py:find", "./find.py:find", "sub/../find.py:find"])
def test_a_file_is_named_by_its_absolute_path(folder: Path, spelling: str) -> None:
    expected = Source("file", "find", str(folder / "find.py"), "find", str(folder))
    assert source.resolve(spelling) == expected
    assert source.resolve(f"{folder}/find.py:find") == expected


@pytest.mark.parametrize(
    "row",
    [
        {"WORKER_PATH": "find.py", "WORKER_REF": "find"},
        {"worker_path": "find.py", "worker_ref": "find"},
        {"WORKER_REF": "find", "WORKER_PATH": "find.py"},
        {"worker_ref": "find", "WORKER_PATH": "find.py"},
        {"Worker_Path": "find.py", "Worker_Ref": "find"},
        {"WORKER_PATH": Path("find.py"), "WORKER_REF": "find"},
        {"WORKER_PATH": "find", "WORKER_REF": "find"},
    ],
)
def test_a_row_of_1_0_in_any_spelling_and_order(folder: Path, row: dict[str, object]) -> None:
    assert source.resolve(row) == source.resolve("find.py:find")


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ({"WORKER_PATH": "find.py"}, "WORKER_REF"),
        ({"worker_ref": "find"}, "WORKER_PATH"),
        ({"WORKER_PATH": "find.py", "WORKER_RFE": "find"}, "WORKER_REF"),
    ],
)
def test_a_row_without_a_key_names_what_is_expected(
    folder: Path, row: dict[str, object], missing: str
) -> None:
    with pytest.raises(LoadError, match=f"'{missing}' is missing"):
        source.resolve(row)


def test_a_row_with_another_type_of_value(folder: Path) -> None:
    with pytest.raises(LoadError, match="are texts"):
        source.resolve({"WORKER_PATH": 5, "WORKER_REF": "find"})
    with pytest.raises(LoadError, match="are texts"):
        source.resolve({"WORKER_PATH": "find.py", "WORKER_REF": plain})


def test_empty_rows_are_skipped_and_order_and_repeats_kept(folder: Path) -> None:
    row = {"WORKER_PATH": "find.py", "WORKER_REF": "find"}
    sources = source.resolve_all([row, {}, "find.py:Class.method", dict(row)])
    assert [each.name for each in sources] == ["find", "Class.method", "find"]
    assert source.is_empty({}) and source.is_empty([]) and not source.is_empty(row)
    assert not source.is_empty("") and not source.is_empty(plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C:\\work\\find.py:find", ("C:\\work\\find.py", "find")),
        ("C:/work/find.py:Class.method", ("C:/work/find.py", "Class.method")),
        ("\\\\server\\share\\find.py:find", ("\\\\server\\share\\find.py", "find")),
        ("pkg.mod:Class.method", ("pkg.mod", "Class.method")),
        ("a:b.py:find", ("a:b.py", "find")),
    ],
)
def test_the_name_stands_behind_the_last_colon(text: str, expected: tuple[str, str]) -> None:
    assert source.split_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    ["find.py", "C:\\work\\find.py", "find.py:", ":find", "", "find.py:1x", "find.py:a..b", "find.py:a b"],
)
def test_a_text_without_a_name_shows_the_forms(folder: Path, text: str) -> None:
    with pytest.raises(LoadError, match=r"does not say which function.*path/to/file\.py:name"):
        source.resolve(text)


def test_a_windows_path_is_a_file_everywhere() -> None:
    with pytest.raises(LoadError, match=r"find\.py: there is no such file"):
        source.resolve("Q:\\no\\such\\find.py:find")


def test_a_file_of_a_package_is_found_from_the_folder_above_it(folder: Path) -> None:
    (folder / "pkg/sub/mod.py").write_text("from . import x\n")
    found = source.resolve("pkg/sub/mod.py:find")
    assert (found.module, found.base) == ("pkg.sub.mod", str(folder))
    found = source.resolve("pkg/sub/__init__.py:find")
    assert (found.module, found.base) == ("pkg.sub", str(folder))


def test_a_file_that_is_missing_or_a_folder(folder: Path) -> None:
    with pytest.raises(LoadError, match=r"gone\.py: there is no such file") as caught:
        source.resolve("gone.py:find")
    assert caught.value.path == str(folder / "gone.py")
    with pytest.raises(LoadError, match="is a folder"):
        source.resolve("./pkg:find")


def test_a_syntax_error_is_found_with_its_line(folder: Path) -> None:
    (folder / "broken.py").write_text("x = 1\n\ndef find(:\n    pass\n")
    with pytest.raises(LoadError, match=r"broken\.py:3: SyntaxError") as caught:
        source.resolve("broken.py:find")
    assert vars(caught.value)["line"] == 3
    assert "def find(:" in vars(caught.value)["traceback_text"]


@pytest.mark.parametrize("content", [b"x = '\0'\n", b"# coding: nonsense\n", b"x = '\xff'\n", b" x = 1\n"])
def test_a_text_that_is_not_python(folder: Path, content: bytes) -> None:
    (folder / "broken.py").write_bytes(content)
    with pytest.raises(LoadError, match=r"broken\.py"):
        source.resolve("broken.py:find")


def test_the_early_check_warns_of_nothing_and_inherits_nothing(folder: Path) -> None:
    # A warning is an error here, and `from __future__ import annotations` would refuse the := there.
    (folder / "find.py").write_text("x = '\\d'\nassert (x, 'always')\ndef find(y: (z := 1)): ...\n")
    assert source.resolve("find.py:find").module == "find"


def test_nothing_is_executed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    source.resolve("pkg/sub/mod.py:find")
    found = source.resolve("pkg.sub.mod:find")
    assert found == Source("module", "find", str(folder / "pkg/sub/mod.py"), "pkg.sub.mod")
    assert not {name for name in set(sys.modules) - before if name.startswith("pkg")}


def test_modules_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    assert source.resolve("json.decoder:JSONDecoder.decode").module == "json.decoder"
    assert source.resolve("os.path:join").module == "os.path"
    assert source.resolve("math:sqrt").kind == "module"
    assert source.resolve("pkg.made_up_by_init:find").path == ""
    with pytest.raises(LoadError, match="there is no module 'no_such_module'"):
        source.resolve("no_such_module:find")
    with pytest.raises(LoadError, match="there is no module 'no_such_module'"):
        source.resolve("no_such_module.sub:find")
    with pytest.raises(LoadError, match="give the function itself"):
        source.resolve("__main__:find")
    (folder / "broken_one.py").write_text("x = (\n")
    with pytest.raises(LoadError, match=r"broken_one\.py:1: SyntaxError"):
        source.resolve("broken_one:find")


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (plain, "plain"),
        (wrapped, "wrapped"),
        (decorated, "decorated"),
        (Owner.entry, "Owner.entry"),
        (Owner.free, "Owner.free"),
        (Owner, "Owner"),
    ],
)
def test_what_can_be_imported_goes_by_reference(function: Callable[..., object], name: str) -> None:
    assert source.resolve(function) == Source("module", name, os.path.abspath(__file__), __name__)


def test_a_function_of_a_c_library_goes_by_reference() -> None:
    import math

    assert source.resolve(math.sqrt)[:2] == ("module", "sqrt")


@pytest.mark.parametrize(
    "function",
    [
        make_closure(42),
        lambda *arguments: 42,
        functools.partial(make_closure(42), 0),
        functools.wraps(plain)(make_closure(42)),
        worker(make_closure(42)),
    ],
)
def test_what_only_this_process_has_goes_by_value(function: Callable[..., object]) -> None:
    found = source.resolve(function)
    assert found.kind == "value"
    assert pickle.loads(found.content)(None, []) == 42


def test_without_cloudpickle_the_error_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(LoadError, match=r"cloudpickle, which is not installed.*'file\.py:find'"):
        source.resolve(make_closure(42))
    assert source.resolve(plain).kind == "module"


def test_what_cannot_be_sent_by_value_is_named() -> None:
    with pytest.raises(LoadError, match=r"make_closure.*cannot pickle '_thread.lock' object"):
        source.resolve(make_closure(threading.Lock()))


@pytest.mark.parametrize("spec", [5, None, b"find.py:find", object(), ("find.py", "find")])
def test_other_types_show_the_forms(spec: Any) -> None:
    with pytest.raises(LoadError, match=r"a worker module is .*WORKER_PATH"):
        source.resolve(spec)


def test_a_module_object_asks_for_the_function() -> None:
    module: Any = pickle
    with pytest.raises(LoadError, match="as in 'pickle:name'"):
        source.resolve(module)


def test_a_source_is_plain_and_resolves_to_itself(folder: Path) -> None:
    found = source.resolve("find.py:find")
    assert source.resolve(found) is found
    assert pickle.loads(pickle.dumps(found)) == found
    assert {type(field) for field in found} == {str, bytes}


def test_a_module_in_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "lib.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in ("__init__.py", "find.py", "flat/find.py", "pkg/__init__.py", "pkg/sub/__init__.py"):
            opened.writestr(name, "")
        opened.writestr("pkg/sub/mod.py", "def find(toolbox): ...\n")
        opened.writestr("broken.py", "\n\nx = (\n")
    expected = Source("file", "find", f"{archive}/pkg/sub/mod.py", "pkg.sub.mod", str(archive))
    assert source.resolve(f"{archive}/pkg/sub/mod.py:find") == expected
    assert source.resolve(f"{archive}/find.py:find")[3:5] == ("find", str(archive))
    assert source.resolve(f"{archive}/flat/find.py:find")[3:5] == ("find", f"{archive}/flat")
    with pytest.raises(LoadError, match=r"there is no 'gone\.py' in this zip"):
        source.resolve(f"{archive}/gone.py:find")
    with pytest.raises(LoadError, match=r"lib\.zip/broken\.py:3: SyntaxError"):
        source.resolve(f"{archive}/broken.py:find")
    archive.rename(tmp_path / "lib")  # a name that a package could have
    assert source.resolve(f"{tmp_path}/lib/find.py:find")[3:5] == ("find", f"{tmp_path}/lib")
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(LoadError, match="is no zip that can be read"):
        source.resolve(f"{tmp_path}/no.zip/find.py:find")


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        (f"https://host/find.py:find#sha256={HASH}", "https://host/find.py", "find"),
        (f"https://host/find.py#sha256={HASH}:find", "https://host/find.py", "find"),
        (
            f"https://host:8443/a/find.py:Class.method#sha256={HASH}",
            "https://host:8443/a/find.py",
            "Class.method",
        ),
        (f"https://host:8443/find.py#sha256={HASH.upper()}:find", "https://host:8443/find.py", "find"),
        (f"https://host/find.py?key=a:b:find#sha256={HASH}", "https://host/find.py?key=a:b", "find"),
        (f"https://host/find.py?at=12:30#sha256={HASH}:find", "https://host/find.py?at=12:30", "find"),
        (f"https://[::1]:8443/find.py#SHA256={HASH}", "https://[::1]:8443/find.py", None),
        (f"https://host:8443#sha256={HASH}", "https://host:8443", None),
    ],
)
def test_the_parts_of_a_url(text: str, url: str, name: str | None) -> None:
    remote = Remote(text)
    assert (remote.url, remote.name, remote.sha256) == (url, name, HASH)


def test_name_and_hash_of_a_remote_may_be_given_apart() -> None:
    expected = Remote(f"https://host/find.py:find#sha256={HASH}")
    assert Remote("https://host/find.py", HASH, "find") == expected
    assert Remote("https://host/find.py:find", sha256=HASH) == expected
    assert Remote("https://host/find.py:find", name="find", sha256=HASH) == expected
    assert Remote("https://host/find.py:run", name="find", sha256=HASH).url == "https://host/find.py:run"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sha256": "12ab"}, "64 hexadecimal digits, not '12ab'"),
        ({"sha256": "zz" * 32}, "64 hexadecimal digits"),
        ({"sha256": "0b" * 32}, "two different hashes"),
        ({"timeout": 0}, "timeout is a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout is a number of seconds above 0"),
        ({"size_max": 0}, "size_max is a number of bytes above 0"),
    ],
)
def test_settings_of_a_remote_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Remote(f"https://host/find.py:find#sha256={HASH}", **options)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"http://host/find.py:find#sha256={HASH}", r"http://host/find\.py:find: plain http is refused"),
        (f"ftp://host/find.py:find#sha256={HASH}", "plain ftp is refused"),
        (f"file:///tmp/find.py:find#sha256={HASH}", "plain file is refused"),
        ("https://host/find.py:find", "has no hash.*allow_unpinned=True"),
        (f"https://host/find.py#sha256={HASH}", "which function"),
        ("https://host/find.py:find#md5=1234", "stands sha256=…, not 'md5=1234'"),
        (f"https:///find.py:find#sha256={HASH}", "names no host"),
        (f"https://host:port/find.py:find#sha256={HASH}", "Port could not be cast"),
        ({"WORKER_PATH": "http://host/find.py", "WORKER_REF": "find"}, "plain http is refused"),
        ({"WORKER_PATH": "https://host/find.py", "WORKER_REF": "find"}, "has no hash"),
    ],
)
def test_a_url_that_is_not_asked(spec: Any, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        source.resolve(spec)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(LoadError, match=r"user name or password is refused \(host host\)") as caught:
        source.resolve(f"https://user:geheim@host/find.py:find#sha256={HASH}")
    assert "geheim" not in str(caught.value)


MAIN = """
import sys, pickle
from eisenmp.child.contracts import worker
from eisenmp.manager import source
LIMIT = 40
@worker
def find(toolbox, rows):
    return [row + LIMIT for row in rows]
def plain(toolbox):
    return find(toolbox, [2])
sources = [source.resolve(each) for each in (find, plain, lambda toolbox: LIMIT)]
print(pickle.dumps(sources).hex())
"""


@pytest.mark.parametrize("how", [["-"], ["main_program.py"], ["-m", "main_program"]])
def test_main_travels_by_value_to_another_process(
    how: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main_program.py").write_text(MAIN)
    monkeypatch.chdir(tmp_path)
    sent = subprocess.run(
        [sys.executable, *how], input=MAIN, capture_output=True, text=True, check=True
    ).stdout
    find, plain_, nameless = pickle.loads(bytes.fromhex(sent))
    assert [each.kind for each in (find, plain_, nameless)] == ["value"] * 3
    code = (
        "import sys, pickle\n"
        "from eisenmp.child import loader\n"
        "find, plain, nameless = map(loader.load, pickle.loads(bytes.fromhex(sys.stdin.read())))\n"
        "print(find(None, [1, 2]), plain(None), nameless(None))"
    )
    run = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, text=True, check=True)
    assert run.stdout == "[41, 42] [42] 40\n"


def test_naming_a_file_imports_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from eisenmp.manager import source\n"
        "source.resolve('find.py:find')\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "ssl",
        "urllib",
        "http",
        "cloudpickle",
        "dataclasses",
        "inspect",
        "typing",
        "re",
        "zipfile",
        "traceback",
    }
    assert not heavy & set(run.stdout.split())
