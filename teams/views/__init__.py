"""The pages of the way in, of one's account, and of a workspace's gateway keys and settings."""
