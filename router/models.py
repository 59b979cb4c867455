"""The counter that tells a gateway whether its snapshot is old."""

from django.db import models


class SnapshotVersion(models.Model):
    """One row, moved by triggers with every change to what the snapshot reads."""

    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.version)
