"""`eisenmp examples`: the list, and one of them by name with arguments of its own."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Annotated

from cyclopts import Parameter

from ..examples import EXAMPLES
from .exitcodes import DONE
from .failure import Refusal


def examples(
    name: Annotated[str | None, Parameter(help="The one to run.")] = None,
    /,
    *arguments: Annotated[
        str, Parameter(help="Its own arguments; NAME --help lists them.", allow_leading_hyphen=True)
    ],
    as_json: Annotated[
        bool, Parameter(name="--json", help="The list as JSON.", negative="", show_default=False)
    ] = False,
) -> int:
    """List the examples, or run one: `eisenmp examples bruteforce CFHHILORRS`.

    Everything behind NAME goes to the example as it is.
    """
    if name is not None:
        return run_example(name, list(arguments))
    if as_json:
        listed = [
            {"name": name, "module": module, "description": text} for name, (module, text) in EXAMPLES.items()
        ]
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return DONE
    width = max(map(len, EXAMPLES))
    for name, (_, text) in EXAMPLES.items():
        print(f"{name:<{width}}  {text}")
    return DONE


def run_example(name: str, arguments: list[str]) -> int:
    """Run the example with its own arguments; returns its exit code."""
    if name not in EXAMPLES:
        from difflib import get_close_matches

        near = get_close_matches(name, EXAMPLES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise Refusal(f"there is no example {name!r}{hint}; the examples are {', '.join(EXAMPLES)}")
    code: int = import_module(EXAMPLES[name][0]).main(arguments)
    return code
