"""Workers of the example bruteforce: one for arrangements of letters, one for lists of words."""

from __future__ import annotations

import eisenmp

WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@eisenmp.worker
def brute_force(toolbox: eisenmp.ToolBox, rows: list[str]) -> tuple[str, int, list[str]]:
    """Which of the arrangements are words; the words are a tool, unpacked once in this process."""
    return toolbox.WORKER_NAME, len(rows), list(toolbox.tools["words"].intersection(rows))


@eisenmp.worker
def list_reduction(toolbox: eisenmp.ToolBox, rows: list[str]) -> tuple[str, int, list[str]]:
    """Which of the words consist of the letters. By length first; keys of umlauts and ß may be longer."""
    letters: str = toolbox.tools["letters"]
    length, wanted = len(letters), sorted(letters)
    candidates = [row for row in rows if len(row) == length or not row.isascii()]
    found = [word for word in candidates if any(sorted(key) == wanted for key in keys(word))]
    return toolbox.WORKER_NAME, len(rows), found


def keys(word: str) -> tuple[str, ...]:
    """The small letters by which a salad finds the word; none when it has anything but letters.

    'Straße' has the key strasse; 'Äpfel' has äpfel and aepfel, since salads come either way.
    """
    if word.isascii():
        return (word.casefold(),) if word.isalpha() else ()
    word = composed(word)
    if not word.isalpha():
        return ()
    key = composed(word.casefold())
    written = key.translate(WRITTEN_OUT)
    return (key,) if written == key else (key, written)


def composed(text: str) -> str:
    """An accent and its letter as one character: files and keyboards differ in that."""
    from unicodedata import normalize

    return normalize("NFC", text)
