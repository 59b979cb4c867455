"""The client shapes the gateway speaks, each translated to and from Anthropic Messages, the inner language."""

from collections.abc import Mapping
from typing import Final

from router.dialects.base import Dialect
from router.dialects.chat import Chat
from router.dialects.fates import GATEWAY_FIELDS
from router.dialects.messages import Messages
from router.dialects.responses import Responses

__all__ = ["CHAT", "DIALECTS", "GATEWAY_FIELDS", "MESSAGES", "RESPONSES"]

CHAT: Final = Chat()
RESPONSES: Final = Responses()
MESSAGES: Final = Messages()
DIALECTS: Final[Mapping[str, Dialect]] = {dialect.name: dialect for dialect in (CHAT, RESPONSES, MESSAGES)}
