"""Generated cases are the same in every run and are not timed: the machine may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile("dialects", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dialects")
