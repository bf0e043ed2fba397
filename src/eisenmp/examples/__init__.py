"""The examples by name: each is a manager module with `main(arguments)`, and the worker module it loads.

`EXAMPLES` is all that a list needs: nothing of an example is imported before it is asked for.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, str]] = {
    "bruteforce": (
        "eisenmp.examples.bruteforce",
        "finds the words in an alphabet salad; the word lists are a tool of every worker",
    ),
    "prime": (
        "eisenmp.examples.prime",
        "finds the primes among 10,000 numbers from 10^12, in tickets of 42 rows",
    ),
    "csv_average": (
        "eisenmp.examples.csv_average",
        "averages one column of a CSV file, a zip or a URL, streamed; by default of 336,776 real flights",
    ),
    "double_queue": (
        "eisenmp.examples.double_queue",
        "encodes two batches of audio and video from queues in categories, and restores their order",
    ),
    "watchdog": (
        "eisenmp.examples.watchdog",
        "a mate watches the worker of its process, restarts it when it is stuck, and no ticket is lost",
    ),
    "http_server": (
        "eisenmp.examples.http_server",
        "a server of the standard library on every core, reloaded under load",
    ),
    "flask_orm": (
        "eisenmp.examples.flask_orm",
        "Flask with SQLAlchemy on every core, several servers in each process, one SQLite file",
    ),
    "fastapi_groups": (
        "eisenmp.examples.fastapi_groups",
        "FastAPI on two port groups, blue and yellow, on two cores",
    ),
}  #: name: (module, one line of description)

__all__ = ["EXAMPLES"]
