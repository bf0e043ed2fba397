"""Which socket of a shared port gets a connection: a program for the kernel, replaced while it runs.

A classic BPF program, as Linux runs it for sockets with SO_REUSEPORT: what it returns is the number of the
socket, in the order in which they began to listen. It needs no privilege.
"""

from __future__ import annotations

import array
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Step = tuple[int, int, int, int]

SO_ATTACH_REUSEPORT_CBPF = 51
LOAD, LOAD_HALF = 0x20, 0x28  # of a packet, into A
ADD_X, MULTIPLY, MODULO, SHIFT, TO_X = 0x0C, 0x24, 0x94, 0x74, 0x07
JUMP_EQUAL, JUMP_AT_LEAST = 0x15, 0x35
RETURN, RETURN_A = 0x06, 0x16
EXTRA = 0xFFFFF000  #: what is not in the packet
CPU, RANDOM = EXTRA + 36, EXTRA + 56
NETWORK = 0xFFF00000  #: where the header of the network begins
SPREAD = 0x9E3779B1  #: an odd number that mixes bits well
PARTS = 10_000  #: a share is counted in


def steer(
    sockets: Sequence[socket.socket],
    how: str,
    active: Sequence[int],
    *,
    cores: Sequence[int | None] = (),
    share: tuple[int, float] | None = None,
) -> None:
    """Have new connections come to the sockets with the numbers `active` only.

    `cores`: of each socket's slot, for 'cpu'. `share`: a socket, and the part of the connections it gets.
    """
    code = program(how, active or range(len(sockets)), sockets[0].family, cores=cores, share=share)
    steps = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in code))
    sockets[0].setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(code), steps.buffer_info()[0])
    )


def program(
    how: str,
    active: Sequence[int],
    family: int = socket.AF_INET,
    *,
    cores: Sequence[int | None] = (),
    share: tuple[int, float] | None = None,
) -> list[Step]:
    """The steps of the program."""
    steps: list[Step] = []
    if share is not None and len(active) > 1 and share[0] in active:
        chosen, part = share
        steps += [(LOAD, 0, 0, RANDOM), (MODULO, 0, 0, PARTS)]
        steps += [(JUMP_AT_LEAST, 1, 0, round(part * PARTS)), (RETURN, 0, 0, chosen)]
        active = [number for number in active if number != chosen]
    if how == "cpu":
        by_core: dict[int, list[int]] = {}
        for number in active:
            core = cores[number] if number < len(cores) else None
            if core is not None:
                by_core.setdefault(core, []).append(number)
        for core, numbers in by_core.items():
            inner = _among(numbers, [(LOAD, 0, 0, RANDOM)])
            steps += [(LOAD, 0, 0, CPU), (JUMP_EQUAL, 0, len(inner), core), *inner]
    return steps + _among(active, _number(how, family))


def _number(how: str, family: int) -> list[Step]:
    """A number into A that is the same for what belongs together."""
    if how in ("random", "cpu"):
        return [(LOAD, 0, 0, RANDOM)]
    six = family == socket.AF_INET6
    source = 20 if six else 12  # the last, or only, word of the client's address
    steps = [(LOAD, 0, 0, NETWORK + source)]
    if how == "hash":
        steps += [(TO_X, 0, 0, 0), (LOAD_HALF, 0, 0, NETWORK + (40 if six else 20)), (ADD_X, 0, 0, 0)]
    return [*steps, (MULTIPLY, 0, 0, SPREAD), (SHIFT, 0, 0, 16)]


def _among(active: Sequence[int], number: list[Step]) -> list[Step]:
    """Return one of these, by the number."""
    if len(active) == 1:
        return [(RETURN, 0, 0, active[0])]
    steps = [*number, (MODULO, 0, 0, len(active))]
    if list(active) == list(range(len(active))):
        return [*steps, (RETURN_A, 0, 0, 0)]
    for place, chosen in enumerate(active):
        steps += [(JUMP_EQUAL, 0, 1, place), (RETURN, 0, 0, chosen)]
    return [*steps, (RETURN, 0, 0, active[0])]
