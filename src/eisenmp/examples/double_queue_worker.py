"""Worker of the example double_queue: encodes the audio and the video of one batch."""

from __future__ import annotations

from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def worker_entrance(toolbox: Any) -> bool:
    """Called in a loop; takes a list from each queue of its batch that has not ended, until all have.

    One stream may be longer than the other: each ends with its own STOP. A worker that shares its batch may
    get a list that holds nothing but STOP.
    """
    if not hasattr(toolbox, "open_queues"):
        batch = toolbox.batches[toolbox.START_SEQUENCE_NUM % len(toolbox.batches)]
        queues = getattr(toolbox, batch)
        toolbox.open_queues = [queues[stream] for stream in toolbox.streams]
    for queue in list(toolbox.open_queues):
        header, *frames = queue.get()
        if toolbox.STOP_MSG in frames:
            frames.pop()
            toolbox.open_queues.remove(queue)
        # the header says to which queue and ticket the result belongs
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, [encode(frame) for frame in frames]])
    return bool(toolbox.open_queues)


def encode(frame: bytes) -> str:
    """Stands in for a codec: some frames take longer than others."""
    for _ in range(40 * frame[0]):
        frame = sha256(frame).digest()
    return frame.hex()[:6]
