"""The Celery application. Tasks take ids, look at the database, and are safe to run twice."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orqadmin.settings")

app = Celery("orqadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # ``expires`` keeps ticks from piling up while no worker runs.
    task: {"task": task, "schedule": every_s, "options": {"expires": every_s - 1}}
    for task, every_s in {
        "keys.publish_waiting_test_calls": 15,
        "keys.end_drained_versions": 30,
        "usage.aggregate_days": 10,
        "usage.make_partitions": 3600,
        "usage.settle_abandoned_tests": 600,
        "usage.forget_refusals": 3600,
        "usage.forget_exchanges": 3600,
    }.items()
}
