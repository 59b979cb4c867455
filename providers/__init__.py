"""Upstream APIs: pure functions between the inner language (Anthropic Messages) and provider HTTP."""
