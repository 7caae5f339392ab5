"""LangSmith's second API, which its newest SDKs read by: the same runs in other words (protocol 5.8)."""
