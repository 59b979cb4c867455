"""The Celery application. Tasks take ids, look at the database, and are safe to run twice."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orqadmin.settings")

app = Celery("orqadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # ``expires`` keeps ticks from piling up while no worker runs.
    "publish-waiting-test-calls": {"task": "keys.publish_waiting_test_calls", "schedule": 15, "options": {"expires": 14}},
    "end-drained-versions": {"task": "keys.end_drained_versions", "schedule": 30, "options": {"expires": 29}},
    "aggregate-days": {"task": "usage.aggregate_days", "schedule": 10, "options": {"expires": 9}},
    "make-partitions": {"task": "usage.make_partitions", "schedule": 3600, "options": {"expires": 3000}},
}
