"""What Claude Code runs on: itself, as npm has it, and the gateway in front of the simulator."""

from tests.gateway import transactional_db
from tests.sdk.conftest import gateway, module_simulated, provider, simulated

__all__ = ["gateway", "module_simulated", "provider", "simulated", "transactional_db"]
