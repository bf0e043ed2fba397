"""Two mates in one file."""

import order_log

order_log.said.append("import mate")


def one(toolbox):
    order_log.said.append("one")


def two(toolbox):
    order_log.said.append("two")
