"""A provider to run against, with real prompt-cache behaviour and no model behind it.

It speaks the Messages API of Anthropic, and Claude's APIs at AWS Bedrock and Google Vertex AI, and OpenAI's. Nothing of
the product is used here but the catalog's files, so that each of the two checks the other.
"""
