"""What the packages for JavaScript run on: node, and the gateway in front of the simulator."""

from tests.gateway import transactional_db
from tests.sdk.conftest import gateway, model, module_simulated, provider, simulated

__all__ = ["gateway", "model", "module_simulated", "provider", "simulated", "transactional_db"]
