"""A provider to run against: the Anthropic Messages API with real prompt-cache behaviour and no model behind it."""
