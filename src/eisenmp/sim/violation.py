"""A rule that did not hold."""

from __future__ import annotations


class Violation(BaseException):
    """The rule of this name was broken. No Exception: a feeder would take it for an error of its source."""

    def __init__(self, rule: str, text: object = "") -> None:
        super().__init__(f"{rule}: {text}" if text != "" else rule)
        self.rule = rule


def check(holds: object, rule: str, text: object = "") -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(rule, text)
