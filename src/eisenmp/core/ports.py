"""Port groups: which slot listens on which ports, of which address, on which core.

The place of a slot in its group decides all of it, so nothing changes when its process is replaced.
"""

from __future__ import annotations

from ..errors import SettingsError
from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PORT_MAX = 65_535
LOOPBACK = "127.0.0.1"
EVERY = {"0.0.0.0": ".", "::": ":"}  #: addresses that stand for all of their kind, and what marks the kind
STEERS = ("hash", "random", "cpu", "client-ip")


class Seat(NamedTuple):
    """What belongs to one slot of a group, for ever. `cores`: the one it is bound to, or none for all."""

    group: str
    place: int
    ports: tuple[int, ...]
    cores: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """'blue/0'."""
        return f"{self.group}/{self.place}"


class PortGroup:
    """Servers that belong together: their ports, the cores they run on, and the address they listen on.

    `ports`: one for each slot, or `servers_per_slot` of them; or `port`: one that all `slots` share.
    `cores`: the slots take them in turn. `adapter`: the name of a network adapter, all of whose addresses
    are taken; or `address`; by default that is 127.0.0.1. `steer`: how the kernel shares out the connections
    of a shared port: 'hash', 'random', 'cpu' (the slot of the core that a packet came in on) or 'client-ip'.

        blue = PortGroup("blue", ports=range(13_000, 13_006), cores=[0], adapter="lo")
        web = PortGroup("web", port=8000, slots=4, steer="client-ip")
    """

    def __init__(
        self,
        name: str,
        *,
        ports: Iterable[int] = (),
        port: int | None = None,
        slots: int | None = None,
        cores: Iterable[int] = (),
        adapter: str | None = None,
        address: str | None = None,
        steer: str = "hash",
        servers_per_slot: int = 1,
    ) -> None:
        self.name = _name(name)
        self.shared = port is not None
        self.ports = _numbers((port,) if port is not None else ports, f"the ports of group {name!r}")
        self.cores = _numbers(cores, f"the cores of group {name!r}")
        self.adapter, self.address, self.steer = adapter, address, steer
        self.servers_per_slot = servers_per_slot
        self.slots = self._slots(slots)
        self._check()

    def _slots(self, slots: int | None) -> int:
        if slots is None:
            return 1 if self.shared else len(self.ports) // max(1, self.servers_per_slot)
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
            raise SettingsError(
                f"group {self.name!r}: slots must be a whole number of at least 1, not {slots!r}"
            )
        return slots

    def _check(self) -> None:
        where, per_slot = f"group {self.name!r}", self.servers_per_slot
        if not self.ports:
            raise SettingsError(f"{where} has no port: give ports, one for each slot, or port and slots")
        wrong = [port for port in self.ports if port > PORT_MAX]
        if wrong:
            raise SettingsError(f"{where}: {wrong[0]} is no port; the last one is {PORT_MAX}")
        # 0 lets the system choose, as often as it stands there
        given = [port for port in self.ports if port]
        if len(set(given)) < len(given):
            twice = next(port for port in given if given.count(port) > 1)
            raise SettingsError(f"{where} names port {twice} twice")
        if isinstance(per_slot, bool) or not isinstance(per_slot, int) or per_slot < 1:
            raise SettingsError(f"{where}: servers_per_slot must be at least 1, not {per_slot!r}")
        if self.shared and per_slot > 1:
            raise SettingsError(f"{where}: servers on one port cannot be told apart; give ports, not port")
        if not self.shared and (self.slots < 1 or self.slots * per_slot > len(self.ports)):
            each = "" if per_slot == 1 else f" of {per_slot} servers each"
            raise SettingsError(
                f"{where} has more slots than ports: {max(1, self.slots)}{each}, "
                f"and {len(self.ports)} port{'' if len(self.ports) == 1 else 's'}"
            )
        if self.adapter is not None and self.address is not None:
            raise SettingsError(f"{where}: give adapter or address, not both")
        if self.steer not in STEERS:
            raise SettingsError(f"{where}: steer must be one of {', '.join(STEERS)}, not {self.steer!r}")

    def seat(self, index: int) -> Seat:
        """What belongs to the slot at this place of the group."""
        per_slot = self.servers_per_slot
        ports = self.ports if self.shared else self.ports[index * per_slot : (index + 1) * per_slot]
        cores = (self.cores[index % len(self.cores)],) if self.cores else ()
        return Seat(self.name, index, ports, cores)

    @property
    def slots_max(self) -> int | None:
        """How many slots there may be; None for any number."""
        return None if self.shared else len(self.ports) // self.servers_per_slot

    def check_slots(self, slots: int) -> None:
        """Raise SettingsError when the group cannot have so many slots."""
        most = self.slots_max
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 0:
            raise SettingsError(f"group {self.name!r} cannot have {slots!r} slots")
        if most is not None and slots > most:
            raise SettingsError(f"group {self.name!r} has ports for {most} slots, not for {slots}")

    def addresses(self, adapters: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        """The addresses that it listens on, by those of the adapters; SettingsError for an unknown one."""
        if self.adapter is None:
            return (self.address or LOOPBACK,)
        if self.adapter not in adapters:
            known = ", ".join(sorted(adapters)) or "none"
            raise SettingsError(
                f"group {self.name!r}: there is no network adapter {self.adapter!r}; there are {known}"
            )
        if not adapters[self.adapter]:
            raise SettingsError(f"group {self.name!r}: the network adapter {self.adapter!r} has no address")
        return tuple(adapters[self.adapter])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortGroup) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        ports = f"port {self.ports[0]}" if self.shared else f"{len(self.ports)} ports from {self.ports[0]}"
        return f"<PortGroup {self.name}: {self.slots} slots, {ports}>"


def check_groups(
    groups: Sequence[PortGroup], adapters: Mapping[str, Sequence[str]], cores: Sequence[int]
) -> None:
    """Raise SettingsError for groups that overlap, or name an adapter or a core that is not there.

    `cores`: those that this process may use; none where nobody can tell.
    """
    listening: dict[tuple[str, int], str] = {}
    names: set[str] = set()
    for group in groups:
        if group.name in names:
            raise SettingsError(f"two port groups are called {group.name!r}")
        names.add(group.name)
        missing = [core for core in group.cores if cores and core not in cores]
        if missing:
            raise SettingsError(
                f"group {group.name!r} names core {missing[0]}; "
                f"this process may use {', '.join(map(str, cores))}"
            )
        for address in group.addresses(adapters):
            for port in filter(None, group.ports):
                other = _taken(listening, address, port)
                if other is not None:
                    raise SettingsError(
                        f"groups {other!r} and {group.name!r} overlap: both have port {port} of {address}"
                    )
        listening.update(
            ((address, port), group.name) for address in group.addresses(adapters) for port in group.ports
        )


def _taken(listening: Mapping[tuple[str, int], str], address: str, port: int) -> str | None:
    mark = ":" if ":" in address else "."
    for (other, taken), name in listening.items():
        if taken == port and (
            other == address or EVERY.get(other) == mark or (EVERY.get(address) and EVERY[address] in other)
        ):
            return name
    return None


def _name(name: object) -> str:
    # it stands in 'blue/0', in `blue=13000-13005@core0` and in the names of metrics
    if isinstance(name, str) and name and set(name).isdisjoint("/=@,: ") and name.isprintable():
        return name
    raise SettingsError(
        f"the name of a port group is a word without '/', '=', '@', ',' and ':', not {name!r}"
    )


def _numbers(values: object, what: str) -> tuple[int, ...]:
    try:
        numbers: tuple[int, ...] = tuple(values)  # type: ignore[arg-type]
    except TypeError:
        numbers = (values,)  # type: ignore[assignment]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise SettingsError(f"{what} must be whole numbers, not {number!r}")
    return numbers


def read_group(
    text: str, *, adapter: str | None = None, address: str | None = None, servers_per_slot: int = 1
) -> PortGroup:
    """The group that `blue=13000-13005@core0` means; more of either come with commas or a range.

    'blue=13000-13005@core0-1', 'yellow=14000,14002'. Raises SettingsError.
    """
    from .cpus import parse_cpu_list

    name, equals, rest = text.partition("=")
    ports, _, cores = rest.partition("@")
    if not equals:
        raise SettingsError(f"{text!r} is no port group; one is written name=13000-13005@core0")
    try:
        return PortGroup(
            name.strip(),
            ports=parse_cpu_list(ports),
            cores=parse_cpu_list(cores.strip().removeprefix("core")) if cores else (),
            adapter=adapter,
            address=address,
            servers_per_slot=servers_per_slot,
        )
    except SettingsError:
        raise
    except ValueError:
        raise SettingsError(f"{text!r} is no port group; one is written name=13000-13005@core0") from None
