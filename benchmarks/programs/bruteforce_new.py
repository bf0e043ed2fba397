"""Brute force with this version: LETTERS ROWS_MAX WORDS_FILE ARRANGEMENTS_FILE."""

from __future__ import annotations

import sys
from os import path

from bruteforce_words import arrangements, show, words_of_length

import eisenmp

letters, rows_max, words_file, arrangements_file = sys.argv[1:]
worker = path.join(path.dirname(__file__), "bruteforce_new_worker.py:find")

with eisenmp.Mp(worker, procs_max=2, rows_max=int(rows_max)) as emp:
    emp.broadcast(words=words_of_length(words_file, len(letters)))
    show(result.value for result in emp.feed(arrangements(arrangements_file, letters)))
