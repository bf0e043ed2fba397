"""What worker and manager say to each other. Every message is one record with one of these kinds."""

from __future__ import annotations

from .record import NamedTuple

# manager -> worker
START = 1  #: body: pickled `child.spec.Spec`
CHUNK = 2  #: queue, a: lease, b: ticket number, c: feed serial; flags; body: pickled rows
ITEM = 3  #: queue, a: lease; body: pickled object that a user put
TOKEN = 4  #: queue: all feeders of the queue have ended
ANSWER = 5  #: a: request; body: pickled answer
TOOLS = 6  #: body: pickled dict of broadcast tools
QUEUE = 7  #: queue; body: pickled QueueName of a queue made after the start
CONTROL = 8  #: a: one of the orders below; b: lease; c: count; queue
CHUNKS = 13  #: as CHUNK, for consecutive leases and tickets from `a` and `b` on; body: pickled list of bodies

POST = 11  #: body: pickled `core.site.Posting`: a spare takes that slot
SOCKET = 12  #: carries a descriptor, of a socket of the POST that follows
REGION = 10  #: a: number, b: size, c: what for; carries a descriptor, or body: path; size 0: it is dropped

STOCK = 14  #: a: feed; body: pickled source that the worker reads by itself; empty when the feed is over

# manager -> zygote, after START (body: pickled `child.spec.Warm`) and TOOLS
FORK = 9  #: a: wid; carries socket, life line, output and more; body: pickled numbers that those are to have

# worker -> manager
UP = 32  #: a: pid; the worker is loaded
WANT = 33  #: queue, b: how many items in all, since its start, the worker wants from this queue
OUTPUT = 34  #: a: lease or 0; flags; c: microseconds of the cycle if FINAL; body: pickled value
DONE = 35  #: c: microseconds; body: the leases that the ended cycle took, 8 bytes each
RAISED = 36  #: body: pickled (leases, error bytes or None, text, traceback text)
PUT = 37  #: queue, a: request or 0; flags; body: pickled object
ASK = 38  #: a: request, b: one of the questions below, queue
LOG = 39  #: a: 1 stdout or 2 stderr; body: whole lines, UTF-8
BACK = 40  #: queue; body: leases that the worker had not taken and gives back, 8 bytes each
LEFT = 41  #: the worker is not called again; a: 0 it returned something false, or one of the below
FAILED_START = 42  #: body: pickled (message, traceback text)
REQUEST = 43  #: a: one of the orders below, asked for by the worker itself; body: pickled reason

PROGRESS = 44  #: b: rows done within the running chunk
NOTE = 45  #: queue: of the manager's own (print, info, output, process); body: pickled object
OUTPUTS = 54  #: as FINAL OUTPUT, for b leases from `a` on; c: of all cycles; body: pickled list of bodies

LENT = 49  #: an OUTPUT whose body names blocks of the worker's region for results
KEPT = (
    50  #: c: 1 the worker still reads these blocks after the end of a cycle, 0 no more; body: offsets, 8 each
)
CHECKED = 52  #: a: number of the question; flags: 1 when the server is well, else 0
LOADED = 53  #: a spare could take a slot
ARENA = 51  #: the worker has large results, and asks for a REGION for them

MAPPED = 57  #: a: number of a REGION that came with a path: it is open, and needs none any more

MARKS = 55  #: a: feed, b: number of the first; body: marks of rows of its source, 4 bytes each
SOURCE_END = 56  #: a: feed, b: it has so many rows at most; body: what it raised, or empty

# zygote -> manager; also LOG, and FAILED_START with a: wid
FORKED = 46  #: a: wid, b: pid; carries a pidfd
ENDED = 47  #: a: wid; body: pickled exit code, None when there was no process
REFUSED = 48  #: a: wid, b: 1 for all to come; body: the reason, UTF-8; the worker has to be spawned

# why in LEFT
LEFT_BY_ORDER = 1
LEFT_AT_LIMIT = 2  #: it has had as many chunks as it may

# flags
LAST = 1  #: CHUNK: the last of its feeder, ends with the STOP row; through 1.0's door
LISTED = 2  #: CHUNK: goes through 1.0's door: rows come as a list behind a header
FINAL = 4  #: OUTPUT: ends the cycle, whose only lease is `a`
HEADED = 8  #: OUTPUT: 1.0's [header, row]
NOWAIT = 16  #: PUT: answer at once, also when the queue is full
CAREFUL = 64  #: CHUNK: was with a worker that died; before it starts, all that is done is reported
LEAVING = 64  #: OUTPUT that is FINAL, DONE: the worker will not be called again
TITLED = 32  #: CHUNK: the first row is the header, with a text of the user's instead of the queue's name

# what a REGION is for
FOR_TOOLS = 0  #: whatever pickles name
FOR_RESULTS = 1  #: the worker lends blocks of it
FOR_ROWS = 2  #: the manager lends blocks of it, and is told which ones are kept

# orders in CONTROL
ORDER_STOP = 1  #: leave after the running cycle
ORDER_RECALL = 2  #: give back what is not taken yet of queue `queue`
ORDER_CANCEL = 3  #: the chunk under lease `b` is not wanted any more
ORDER_PAUSE = 4
ORDER_RESUME = 5
ORDER_RESTART = 6
ORDER_DRAIN = 7  #: a server accepts no more, and stops after `b` milliseconds
ORDER_CHECK = 8  #: a server is to say how it is, with CHECKED and the number `b`

# questions in ASK
ASK_EMPTY = 1
ASK_FULL = 2
ASK_SIZE = 3
ASK_WITHDRAW = 5  #: take back the put under this request; the answer says whether it had gone in
ASK_NOTHING = 6  #: the answer itself is what is wanted: it wakes the thread that waits for the manager
ASK_NOW = 4  #: send an item at once if there is one; the answer says whether


class Message(NamedTuple):
    """One message on the wire; the meaning of the numbers depends on the kind."""

    kind: int
    queue: int = 0
    a: int = 0
    b: int = 0
    c: int = 0
    flags: int = 0
    body: bytes = b""
