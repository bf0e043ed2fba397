"""The toolbox, while the manager makes queues: the channel's thread adds them at any moment."""

from __future__ import annotations

import pickle
from typing import Any

from eisenmp.child.spec import Spec
from eisenmp.child.toolbox import ToolBox
from eisenmp.core.queues import QueueName, QueueNames


class Manager:
    """The channel of a worker, as far as a toolbox needs it, and what its thread does when a queue is made."""

    def __init__(self) -> None:
        self.table = QueueNames()
        self.tools = None
        self.names: list[QueueName] = []
        self.on_queue: Any = lambda name: None
        self.make("audio", "batch_1")

    def make(self, name: str, category: str | None = None) -> None:
        queue = self.table.create(name, category)
        self.names.append(queue)
        self.on_queue(queue)

    def toolbox(self, **variables: Any) -> Any:
        """What a worker is handed."""
        spec = Spec("m", 1, 0, "worker", 1, (), (), pickle.dumps({}), ())
        channel: Any = self
        return ToolBox(spec, channel, variables)


def test_a_queue_is_made_while_the_worker_looks_at_the_others() -> None:
    manager = Manager()
    toolbox = manager.toolbox(depth=3)
    for key in toolbox.batch_1:
        manager.make(f"{key}_more", "batch_1")
    assert list(toolbox.batch_1) == ["audio", "audio_more"]
    for number, key in enumerate(toolbox.kwargs):
        manager.make(f"{key}_{number}")
    assert toolbox.kwargs["depth_0"] is toolbox.depth_0 is toolbox.ALL_QUEUES_LIST[2]
    assert toolbox.kwargs["batch_1"] is toolbox.batch_1


def test_a_queue_is_made_while_the_toolbox_is_made() -> None:
    class Telling:
        """A variable of which somebody asks what it is: at this moment a queue comes."""

        @property
        def __class__(self) -> Any:
            manager.make("late")
            return Telling

    manager = Manager()

    class Names(list[QueueName]):
        """The names that are known, and one more as soon as they have been looked at."""

        def __iter__(self) -> Any:
            yield from list.__iter__(self)
            manager.make("later")

    manager.names = Names(manager.names)
    toolbox = manager.toolbox(it=Telling())
    assert toolbox.kwargs["later"] is toolbox.later
    assert toolbox.kwargs["batch_1"] is toolbox.batch_1
    assert sorted(name for name, _, _ in toolbox.Q_NAME_ID_LST) == ["batch_1|audio", "later"]
