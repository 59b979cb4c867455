"""Running things at the same time, in threads with database connections of their own."""

import threading
from collections.abc import Callable

from django.db import connection


def run_together(*actions: Callable[[], object]) -> list[Exception]:
    """Run ``actions`` in threads that start at once; return what they raised."""
    barrier, raised = threading.Barrier(len(actions)), list[Exception]()

    def run(action: Callable[[], object]) -> None:
        barrier.wait()
        try:
            action()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
