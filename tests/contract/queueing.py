"""Named queues and tools: between the program and the workers, and among workers."""

from __future__ import annotations

import threading
from queue import Empty, Full
from typing import Any

import pytest

import eisenmp

from .engines import Contestant
from .feeding import LONG
from .suite import GATE, TOLD, Shared, own, own_process, shared


@shared
def objects_go_to_a_worker_and_come_back(shared: Shared) -> None:
    there, back = shared.emp.queue("there", maxsize=2), shared.emp.queue("back", maxsize=2)
    feed = shared.feed([("relay", "there", "back", 5)])
    for number in range(5):
        there.put({"number": number}, timeout=LONG)
        assert back.get(timeout=LONG) == {"number": number}
    assert feed.wait(LONG)


@shared
def workers_send_each_other_objects(shared: Shared) -> None:
    shared.emp.queue("between", maxsize=1)
    values = shared.values([("put", "between", *range(20)), ("get", "between", 20)])
    assert values == [None, list(range(20))]


@shared
def a_queue_holds_as_much_as_it_is_said_to(shared: Shared) -> None:
    shared.emp.queue("narrow", maxsize=2)
    (seen,) = shared.values([("limits", "narrow", GATE)])
    assert seen == {
        "empty": True, "size": 0, "full": False, "get_nowait": False, "get": False, "put": True,
        "put_nowait": True, "no room": False, "no room in time": False, "empty then": False, "size then": 2,
        "full then": True, "got": [1, 2],
    }  # fmt: skip


@shared
def the_program_sees_the_same_limits(shared: Shared) -> None:
    narrow = shared.emp.queue("narrow_too", maxsize=2)
    assert (narrow.empty(), narrow.full(), narrow.qsize()) == (True, False, 0)
    with pytest.raises(Empty):
        narrow.get_nowait()
    with pytest.raises(Empty):
        narrow.get(timeout=0.01)
    narrow.put(1)
    narrow.put_nowait(2)
    with pytest.raises(Full):
        narrow.put_nowait(3)
    with pytest.raises(Full):
        narrow.put(3, timeout=0.01)
    assert (narrow.empty(), narrow.full(), narrow.qsize()) == (False, True, 2)
    assert [narrow.get(), narrow.get_nowait()] == [1, 2]


@shared
def a_put_waits_until_there_is_room(shared: Shared) -> None:
    narrow = shared.emp.queue("one_place", maxsize=1)
    feed = shared.feed([("put", "one_place", *range(50))])
    assert [narrow.get(timeout=LONG) for _ in range(50)] == list(range(50))
    assert feed.wait(LONG)


@shared
def many_threads_use_one_queue(shared: Shared) -> None:
    inward, outward = shared.emp.queue("inward", maxsize=3), shared.emp.queue("outward", maxsize=3)
    feed = shared.feed([("relay", "inward", "outward", 40)] * 2)
    got: list[Any] = []

    def take() -> None:
        for _ in range(40):
            got.append(outward.get(timeout=LONG))

    def give(start: int) -> None:
        for number in range(start, start + 20):
            inward.put(number, timeout=LONG)

    threads = [threading.Thread(target=take) for _ in range(2)]
    threads += [threading.Thread(target=give, args=(start,)) for start in range(0, 80, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert sorted(got) == list(range(80))
    assert feed.wait(LONG)


@shared
def objects_wait_in_the_manager_until_a_worker_asks(shared: Shared) -> None:
    queue = shared.emp.queue("unasked", maxsize=5)
    for number in range(5):
        queue.put(number)
    assert shared.values(range(100)) == list(range(100))
    assert queue.qsize() == 5
    assert shared.values([("get", "unasked", 5)]) == [list(range(5))]


@shared
def queues_have_categories(shared: Shared) -> None:
    left = shared.emp.queue("same", category="batch_1")
    right = shared.emp.queue("same", category="batch_2")
    rows = [("in_category", "batch_1", "same", "one"), ("in_category", "batch_2", "same", "two")]
    assert [name for _, name in shared.values(rows)] == ["batch_1|same", "batch_2|same"]
    assert (left.get(timeout=LONG), right.get(timeout=LONG)) == ("one", "two")
    with pytest.raises(eisenmp.QueueExists, match=r"batch_1\|same"):
        shared.emp.queue("same", category="batch_1")
    with pytest.raises(eisenmp.QueueUnknown, match="batch_3"):
        shared.feed([1], queue="batch_3|same")


@shared
def a_queue_travels_by_its_name(shared: Shared) -> None:
    """In rows to the worker's end of it, in results to the manager's."""
    queue = shared.emp.queue("travelling", maxsize=2)
    (kind,) = shared.values([("put_into", queue, "it came")])
    assert kind == "WorkerQueue"
    assert queue.get(timeout=LONG) == "it came"
    assert shared.values([("give_queue", "travelling")]) == [queue]


@shared
def an_unknown_queue_is_named(shared: Shared) -> None:
    with pytest.raises(eisenmp.WorkerFailed, match="nowhere") as caught:
        list(shared.feed([("put", "nowhere", 1)]))
    assert isinstance(caught.value.__cause__, eisenmp.QueueUnknown)


@own
def feeds_of_several_queues_do_not_mix(engine: Contestant) -> None:
    emp = engine.mp("from_two_queues", rows_max=10)
    emp.queue("left", maxsize=2)
    right = emp.queue("right", category="both", maxsize=2)
    with emp:
        feeds = [emp.feed(range(200), queue="left"), emp.feed(range(1000, 1200), queue=right)]
        more = emp.feed(range(5000, 5200), queue="both|right")
        values = [[r.value for r in feed.in_order()] for feed in (*feeds, more)]
    for name, start, chunks in zip(
        ("left", "both|right", "both|right"), (0, 1000, 5000), values, strict=True
    ):
        assert [chunk[0] for chunk in chunks] == [name] * 20
        assert [row for chunk in chunks for row in chunk[1:]] == list(range(start, start + 200))


@own
def several_feeders_fill_several_queues(engine: Contestant) -> None:
    """Through 1.0's door: two feeders started in quick succession do not mix, each worker reads its own."""
    emp = engine.mp("collects", rows_max=10)
    emp.queue_cust_dict_std_create(("left", 1), ("right", 1))
    emp.start(RESULTS_STORE=True)
    emp.run_q_feeder(generator=(f"l{n}" for n in range(95)), input_q=emp.queue_cust_dict_std["left"])
    emp.run_q_feeder(generator=(f"r{n}" for n in range(60)), input_q=emp.queue_cust_dict_std["right"])
    emp.join(LONG)
    stored = emp.e_utilsResult.result_dict
    rows = {name: [row for _, part in stored[name] for row in part if row != "STOP"] for name in stored}
    assert rows == {"left": [f"l{n}" for n in range(95)], "right": [f"r{n}" for n in range(60)]}


@own
def tools_reach_every_worker(engine: Contestant) -> None:
    emp = engine.mp(rows_max=1)
    emp.broadcast(words=frozenset(("a", "b")), number=1)
    with emp:
        rows = [("tool", "words"), ("tool", "number")] * 4
        values = [value for r in emp.feed(rows) for value in r.value]
        assert values.count(frozenset(("a", "b"))) == values.count(1) == 4
        emp.broadcast(number=2, more=[3])
        values = [value for r in emp.feed([("tool", "number"), ("tool", "more")] * 20) for value in r.value]
        assert values.count(2) == values.count([3]) == 20
        with pytest.raises(eisenmp.WorkerFailed, match="no tool 'less'"):
            list(emp.feed([("tool", "less")]))
        with pytest.raises(eisenmp.SettingsError, match="'lock'.* cannot be pickled"):
            emp.broadcast(lock=threading.Lock())


@own_process
def an_object_that_died_with_its_worker_comes_again(engine: Contestant) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, engine.mp(rows_max=1, procs_max=1) as emp:
        emp.queue(GATE, maxsize=3)
        objects = emp.queue(TOLD, maxsize=3)
        for number in range(3):
            objects.put(number)
        # one after the other: what is tried again does so after a while, and others may pass it by
        assert [r.value for r in emp.feed([("die_with_object", TOLD, f"{folder}/count")])] == [[0]]
        assert [r.value for r in emp.feed([("get", TOLD, 2)])] == [[[1, 2]]]
