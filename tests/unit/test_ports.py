"""A port group is data: what belongs to a slot, and every mistake in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from eisenmp.core.ports import PortGroup, Seat, check_groups, read_group
from eisenmp.errors import SettingsError

ADAPTERS = {"lo": ("127.0.0.1", "::1"), "eth0": ("10.0.0.7",), "down0": ()}


def test_the_place_in_the_group_decides_port_and_core() -> None:
    blue = PortGroup("blue", ports=range(13_000, 13_006), cores=[0, 1], adapter="lo")
    assert blue.slots == 6
    assert blue.seat(3) == Seat("blue", 3, (13_003,), (1,))
    assert blue.seat(3) == blue.seat(3)
    assert blue.seat(3).name == "blue/3"
    assert blue.addresses(ADAPTERS) == ("127.0.0.1", "::1")


def test_several_servers_in_a_slot_have_a_port_each() -> None:
    group = PortGroup("many", ports=range(9_000, 9_012), servers_per_slot=3)
    assert group.slots == 4
    assert [group.seat(index).ports for index in (0, 3)] == [(9_000, 9_001, 9_002), (9_009, 9_010, 9_011)]
    assert group.slots_max == 4


def test_a_shared_port_has_as_many_slots_as_one_likes() -> None:
    web = PortGroup("web", port=8_000, slots=4, steer="client-ip")
    assert {web.seat(index).ports for index in range(4)} == {(8_000,)}
    assert (web.slots_max, web.addresses({})) == (None, ("127.0.0.1",))
    assert PortGroup("one", port=8_000).slots == 1
    web.check_slots(100)


def test_fewer_slots_than_ports_leave_room_to_grow() -> None:
    group = PortGroup("blue", ports=range(5), slots=2)
    assert (group.slots, group.slots_max) == (2, 5)
    group.check_slots(5)
    with pytest.raises(SettingsError, match="has ports for 5 slots, not for 6"):
        group.check_slots(6)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"ports": [8_000, 8_001], "slots": 3}, "group 'g' has more slots than ports: 3, and 2 ports"),
        (
            {"ports": [8_000], "servers_per_slot": 2},
            "more slots than ports: 1 of 2 servers each, and 1 port$",
        ),
        ({}, "group 'g' has no port"),
        ({"ports": [8_000, 70_000]}, "70000 is no port"),
        ({"ports": [8_000, 8_000]}, "names port 8000 twice"),
        ({"ports": ["8000"]}, "the ports of group 'g' must be whole numbers, not '8000'"),
        ({"port": 8_000, "slots": 0}, "slots must be a whole number of at least 1, not 0"),
        ({"port": 8_000, "servers_per_slot": 2}, "cannot be told apart"),
        ({"port": 8_000, "adapter": "lo", "address": "::1"}, "give adapter or address, not both"),
        ({"port": 8_000, "steer": "even"}, "steer must be one of hash, random, cpu, client-ip, not 'even'"),
    ],
)
def test_a_mistake_is_one_sentence(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        PortGroup("g", **keywords)


@pytest.mark.parametrize("name", ["", "a/b", "a=b", "a b", 3])
def test_a_name_is_a_word(name: Any) -> None:
    with pytest.raises(SettingsError, match="the name of a port group is a word"):
        PortGroup(name, port=8_000)


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ({"address": "10.0.0.7"}, {"adapter": "eth0"}, "10.0.0.7"),
        ({"address": "0.0.0.0"}, {"address": "10.0.0.7"}, "10.0.0.7"),
        ({"address": "10.0.0.7"}, {"address": "0.0.0.0"}, "0.0.0.0"),
        ({"address": "::"}, {"adapter": "lo"}, "::1"),
    ],
)
def test_groups_that_overlap_are_refused(one: dict[str, Any], other: dict[str, Any], where: str) -> None:
    groups = [PortGroup("a", ports=[8_000, 8_001], **one), PortGroup("b", port=8_001, **other)]
    with pytest.raises(SettingsError, match=f"groups 'a' and 'b' overlap: both have port 8001 of {where}"):
        check_groups(groups, ADAPTERS, (0, 1))


def test_the_same_ports_on_other_addresses_are_fine() -> None:
    groups = [
        PortGroup("a", port=8_000, adapter="lo"),
        PortGroup("b", port=8_000, adapter="eth0", cores=[1]),
        PortGroup("c", port=8_000, address="10.0.0.8"),
        PortGroup("d", ports=[0, 0]),
        PortGroup("e", ports=[0, 0]),
    ]
    check_groups(groups, ADAPTERS, (0, 1))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"adapter": "eth7"}, "group 'g': there is no network adapter 'eth7'; there are down0, eth0, lo"),
        ({"adapter": "down0"}, "the network adapter 'down0' has no address"),
        ({"cores": [0, 64]}, "group 'g' names core 64; this process may use 0, 1"),
    ],
)
def test_what_is_not_there_is_named(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check_groups([PortGroup("g", port=8_000, **keywords)], ADAPTERS, (0, 1))


def test_two_groups_of_one_name() -> None:
    groups = [PortGroup("g", port=8_000), PortGroup("g", port=8_001)]
    with pytest.raises(SettingsError, match="two port groups are called 'g'"):
        check_groups(groups, ADAPTERS, ())


def test_a_group_as_text() -> None:
    assert read_group("blue=13000-13002@core0") == PortGroup("blue", ports=range(13_000, 13_003), cores=[0])
    assert read_group("y=14000,14002@0-1", adapter="lo") == PortGroup(
        "y", ports=[14_000, 14_002], cores=[0, 1], adapter="lo"
    )
    for text in ("blue", "blue=", "blue=a-b", "blue=8000@corex"):
        with pytest.raises(SettingsError):
            read_group(text)
