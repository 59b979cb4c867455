"""Pages of models and of routes."""
