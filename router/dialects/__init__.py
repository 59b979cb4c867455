"""The client shapes the gateway speaks, each translated to and from Anthropic Messages, the inner language."""
