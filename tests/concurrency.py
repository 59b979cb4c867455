"""Running things at the same time, in threads with database connections of their own."""

import threading
import time
from collections.abc import Callable

from django.db import connection, transaction


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


def run_overtaken(action: Callable[[], object], change: Callable[[], object]) -> list[Exception]:
    """Run ``action`` in a thread while ``change`` is made and not yet committed; return what ``action`` raised.

    ``change`` commits once ``action`` waits for one of its locks, or has ended.
    """
    raised = list[Exception]()

    def run() -> None:
        try:
            action()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        change()
        thread.start()
        while thread.is_alive() and not _is_anybody_waiting():
            time.sleep(0.01)
    thread.join()
    return raised


def _is_anybody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
