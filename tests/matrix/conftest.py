"""The gateway in front of the simulator, with keys for Anthropic, AWS Bedrock and Google Vertex AI."""

from tests.gateway import transactional_db
from tests.sdk.conftest import gateway, module_simulated, provider, simulated

__all__ = ["gateway", "module_simulated", "provider", "simulated", "transactional_db"]
