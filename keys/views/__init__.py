"""The pages under BYOK: providers and their keys, connecting one, its own page, and rotating it."""
