"""Work in other processes, of which any may crash."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple


class Crash(NamedTuple):
    """What comes of an item whose process ended.

    Attributes:
        code: Exit status; negative for the signal that killed it.
        timed_out: Whether it was killed because it took too long.
    """

    code: int
    timed_out: bool = False


def _serve(function: Callable, connection: Connection, parents: Connection) -> None:
    """Answer until told to end, or until the parent is gone."""
    parents.close()
    with contextlib.suppress(EOFError):
        while task := connection.recv():
            connection.send(function(*task))


def map_despite_crashes(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    jobs: int,
    timeout: float | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Apply a function in other processes; one that crashes loses its item alone.

    Unlike the pools of the standard library, which hang or give up.

    Args:
        function: Takes one item; both it and its result can be pickled.
        items: What to apply it to.
        jobs: Number of processes.
        timeout: Seconds after which a process that has not answered is killed.

    Yields:
        ``(item, result)`` in the order of completion; the result is a :class:`Crash`
        where the process ended. An exception ends it too, with its traceback.
    """
    waiting, busy = iter(items), {}

    def start() -> tuple[BaseProcess, Connection]:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(
            target=_serve, args=(function, theirs, ours), daemon=True
        )
        process.start()
        theirs.close()
        return process, ours

    def give(process: BaseProcess, connection: Connection) -> None:
        for item in waiting:
            busy[connection] = process, item, time.monotonic()
            with contextlib.suppress(BrokenPipeError):  # it is found dead later
                connection.send((item,))
            return
        # To close the pipe is not enough: younger processes hold copies of its end.
        with contextlib.suppress(BrokenPipeError):
            connection.send(None)
        process.join()

    def overdue() -> list[Connection]:
        latest = time.monotonic() - (timeout or float('inf'))
        return [pipe for pipe, (*_, begun) in busy.items() if begun < latest]

    try:
        for _ in range(jobs):
            give(*start())
        while busy:
            ready = wait(list(busy), timeout and timeout / 10)
            late = [connection for connection in overdue() if connection not in ready]
            for connection in ready + late:
                process, item, _ = busy.pop(connection)
                try:
                    if connection in late:
                        process.kill()
                        raise EOFError
                    result = connection.recv()
                except (EOFError, OSError):  # nothing, or half an answer
                    connection.close()
                    process.join()
                    result = Crash(process.exitcode, connection in late)
                    process, connection = start()
                yield item, result
                give(process, connection)
    finally:
        for process, *_ in busy.values():
            process.kill()
