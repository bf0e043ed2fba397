"""Dead letters tried again: what succeeds becomes a result of the job, what does not stays a dead letter."""

from __future__ import annotations

import json

from ..core.job import Imprint
from .bookkeeper import job_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from ..core.outcome import Letter, Piece
    from .archive import Archive, Found
    from .rerun import Outcome, Rerun
    from .store import Store


class Retrial:
    """Runs dead letters with `rerun` and writes what comes of them to `store`."""

    def __init__(self, archive: Archive, store: Store, rerun: Rerun) -> None:
        self._archive = archive
        self._store = store
        self._rerun = rerun
        self._pieces: dict[tuple[int, int], tuple[Piece, ...]] = {}
        self._accepted = False

    def run(self, letters: Iterable[Found]) -> Generator[Outcome, None, None]:
        """Each letter's outcome. It is recorded when the next one is asked for, or at the end."""
        for outcome in self._rerun.run(self._rerun.of_letters(letters)):
            yield outcome
            self._keep(outcome)
            if outcome.pieces and not outcome.letters and not self._accepted:
                self._accept()

    def _keep(self, outcome: Outcome) -> None:
        task, store = outcome.task, self._store
        feed, number = task.feed.feed, task.number
        before = self._pieces.get((feed, number)) or self._archive.pieces(feed, number)
        pieces = self._pieces[feed, number] = (*before, *outcome.pieces)
        letters = [_added(letter, task.letter) for letter in outcome.letters]
        if outcome.pieces or letters:
            store.settle(feed, number, pieces, letters, pardoned=(task.start,))

    def _accept(self) -> None:
        """A worker that has done what could not be done before is the job's own from now on."""
        self._accepted = True
        job = job_from(self._archive.facts()["job"])
        workers = tuple(
            Imprint(then.name, tuple(dict.fromkeys((*then.digests, *now.digests))))
            for then, now in zip(job.workers, self._rerun.imprints(), strict=True)
        )
        if workers != job.workers:
            self._store.fact("job", json.dumps(job._replace(workers=workers)))


def _added(letter: Letter, before: Letter | None) -> Letter:
    """The letter with the attempts and the first time of the one that it follows."""
    if before is None:
        return letter
    return letter._replace(
        attempts=before.attempts + letter.attempts,
        first=before.first,
        final=before.final,
        body=letter.body or before.body,
    )
