"""The example bruteforce: on the real lists, on words drawn at run time, on a list of 2,600,000 words."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from functools import cache
from itertools import permutations
from pathlib import Path

import pytest

from eisenmp.examples import bruteforce, word_lists
from eisenmp.examples.bruteforce_worker import keys
from eisenmp.examples.permutations import TAIL, arrangements, arrangements_total

from .program import Run, run

UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@cache
def real_words() -> tuple[str, ...]:
    """All words of both packages."""
    lists = word_lists.open_lists([])
    assert [name for name, _ in lists] == ["english-words", "german-nouns"]
    words = tuple(word_lists.all_words(lists))
    assert len(words) > 600_000
    return words


def words_in(salad: str, words: Iterable[str]) -> list[str]:
    """What is to be found, computed here: words with the same letters, as they are and with ae, oe, ue."""
    wanted = sorted(salad.casefold())
    found = set()
    for word in words:
        if len(word) == len(wanted) or not word.isascii():
            small = word.casefold()
            if sorted(small) == wanted or sorted(small.translate(UMLAUTS)) == wanted:
                found.add(word.upper())
    return sorted(found)


def found_words(ended: Run, salad: str) -> list[str]:
    """The words between the lines of the result; the text is checked on the way."""
    assert (ended.code, ended.err) == (0, "")
    begin = ended.out.index(f"--- Result for [{salad.casefold().upper()}] ---\n")
    _, *words, end = ended.out[begin : ended.out.index("--- END ---") + 11].split("\n")
    assert end == "--- END ---"
    found = [word.strip() for word in words if word.strip() and "no word of" not in word]
    assert ended.line("words ") == str(len(found))
    assert float(ended.line("time ").removesuffix(" s")) > 0
    for word in found:
        # each is shown when it is found, once
        assert ended.out.count(f" ... {word}\n") == 1
    return found


def shuffled(word: str, source: random.Random) -> str:
    letters = list(word)
    source.shuffle(letters)
    return "".join(letters)


def test_the_salad_of_the_demo() -> None:
    ended = run("bruteforce")
    found = found_words(ended, "CFHHILORRS")
    assert found == words_in("CFHHILORRS", real_words())
    assert "SCHILFROHR" in found
    assert "[BRUTE_FORCE]  CFHHILORRS: 907,200 arrangements" in ended.out
    assert ended.line("rows ") == "907,200"
    assert ended.line("tickets ") == "182"


@pytest.mark.parametrize(("least", "most", "way"), [(5, 9, "BRUTE_FORCE"), (12, 20, "LIST_REDUCTION")])
def test_a_word_drawn_from_the_real_lists(least: int, most: int, way: str) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    source = random.Random(seed)
    plain = set("abcdefghijklmnopqrstuvwxyzäöüß")
    while True:
        word = source.choice(real_words())
        if least <= len(word.casefold()) <= most and plain.issuperset(word.casefold()):
            break
    salad = shuffled(word, source)
    ended = run("bruteforce", salad)
    assert f"[{way}]" in ended.out
    found = found_words(ended, salad)
    assert word.upper() in found
    assert found == words_in(salad, real_words())


@pytest.fixture(scope="module")
def many_words(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A file of 2,600,000 words of 4 to 16 letters, and the words."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    letters = random.Random(seed).randbytes(27_000_000)
    text = letters.translate(bytes(97 + byte % 26 for byte in range(256))).decode()
    words = []
    position = 0
    for number in range(2_600_000):
        length = 4 + number % 13
        words.append(text[position : position + length])
        position += length
    file = tmp_path_factory.mktemp("words") / "many.txt"
    file.write_text("\n".join(words), encoding="utf-8")
    return file, words


@pytest.mark.parametrize(("length", "way"), [(8, "BRUTE_FORCE"), (14, "LIST_REDUCTION")])
def test_a_list_of_2_600_000_words(many_words: tuple[Path, list[str]], length: int, way: str) -> None:
    file, words = many_words
    as_long = [word for word in words if len(word) == length]
    assert len(as_long) == 200_000
    word = random.choice(as_long)
    salad = shuffled(word, random.Random(word))
    ended = run("bruteforce", salad, "--words", file)
    assert f"[{way}]" in ended.out
    assert "word lists: many.txt\n" in ended.out
    found = found_words(ended, salad)
    assert word.upper() in found
    assert found == words_in(salad, as_long)
    rows = arrangements_total(salad) if way == "BRUTE_FORCE" else 2_600_000
    assert ended.line("rows ") == f"{rows:,}"


@pytest.mark.parametrize(
    ("salad", "expected"),
    [
        ("EDER", ["DEER", "REED"]),
        ("SSARTEß", ["STRASSES"]),
        ("LEPFÄ", ["ÄPFEL"]),
        ("LEPFEA", ["ÄPFEL"]),
        ("NOZ", []),
        ("ESELBRÜCKENNÄGEL", ["NÄGELBRÜCKENESEL"]),
        ("ESELBRUECKENNAEGEL", ["NÄGELBRÜCKENESEL"]),
    ],
)
def test_capitals_umlauts_and_repeated_letters(tmp_path: Path, salad: str, expected: list[str]) -> None:
    words = ["reed", "Reed", "DEER", "deer ", "re-ed", "", "Strasses", "Straßes", "Äpfel", "A\u0308pfel"]
    file = tmp_path / "words.txt"
    file.write_text("\r\n".join([*words, "Nägelbrückenesel", "zoo"]), encoding="utf-8-sig")
    assert found_words(run("bruteforce", salad, "--words", file), salad) == expected


def test_several_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("reed\n")
    second.write_text("deer\nreed\n")
    ended = run("bruteforce", "eder", "--words", first, second, "--procs-max", 1)
    assert found_words(ended, "eder") == ["DEER", "REED"]
    assert "word lists: first.txt, second.txt\n" in ended.out
    assert ended.line("workers ") == "1 (tickets: Process-1 1)"


@pytest.mark.parametrize("salad", ["ABCDE", "ABCDEFGHIJKLMNOP"])
def test_a_list_that_is_not_utf_8_is_named_with_its_line(
    tmp_path: Path, salad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "latin.txt"
    # far enough that a part of the file was good
    file.write_bytes(b"word\n" * 300_000 + "Stra\xdfe\n".encode("latin-1") + b"word\n")
    assert bruteforce.main([salad, "--words", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"eisenmp examples bruteforce: {file}:300001: not UTF-8 text: byte 0xdf\n"
    )


def test_a_list_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none.txt"
    assert bruteforce.main(["REED", "--words", str(file)]) == 2
    assert capsys.readouterr().err == f"eisenmp examples bruteforce: {file}: No such file or directory\n"


@pytest.mark.parametrize("package", ["english-words", "german-nouns"])
def test_a_package_that_is_missing_is_named_with_the_extra(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    assert bruteforce.main([]) == 2
    assert capsys.readouterr().err == (
        f"eisenmp examples bruteforce: the package {package} is not installed: "
        "pip install 'eisenmp[examples]'\n"
    )


@pytest.mark.parametrize("salad", ["", "AB CD", "R2D2", "re-ed"])
def test_a_salad_consists_of_letters(salad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bruteforce.main([salad]) == 2
    assert "letters only" in capsys.readouterr().err


@pytest.mark.parametrize(
    "letters", ["a", "aa", "abc", "reed", "abcdef", "aabbcc", "abcdefg", "rrsshhc", "aaaaaaab"]
)
def test_arrangements_are_all_and_distinct(letters: str) -> None:
    assert len("abcdefg") > TAIL  # so that heads and tails are joined too
    expected = sorted(set(map("".join, permutations(letters))))
    assert list(arrangements(letters)) == expected
    assert arrangements_total(letters) == len(expected)


def test_the_number_of_arrangements() -> None:
    assert arrangements_total("CFHHILORRS") == 907_200
    assert arrangements_total("ABCDEFGHIJK") == 39_916_800


def test_keys() -> None:
    assert keys("Reed") == ("reed",)
    assert keys("Straße") == ("strasse",)
    assert keys("Äpfel") == keys("A\u0308pfel") == ("äpfel", "aepfel")
    assert keys("re-ed") == keys("100th") == keys("") == ()
