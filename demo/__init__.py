"""A real LangGraph agent whose traces are sent both ways: `make demo`."""
