"""What the brute force programs of both versions share: the words, the arrangements, the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.util import module_from_spec, spec_from_file_location


def words_of_length(file: str, length: int) -> frozenset[str]:
    """The words of a file with one on each line, in small letters."""
    with open(file, encoding="utf-8") as lines:
        return frozenset(word for word in (line.strip().casefold() for line in lines) if len(word) == length)


def arrangements(file: str, letters: str) -> Iterator[str]:
    """The rows: what the generator function in that file yields for the letters."""
    spec = spec_from_file_location("arrangements_of_both", file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Iterator[str] = module.arrangements(letters)
    return found


def show(answers: Iterable[tuple[int, int, list[str]]]) -> None:
    """Print what (pid, rows, words found) of all chunks come to."""
    answers = list(answers)
    found = sorted({word for _, _, words in answers for word in words})
    pids = len({pid for pid, _, _ in answers})
    print(json.dumps({"found": found, "rows": sum(rows for _, rows, _ in answers), "pids": pids}), flush=True)
