"""The examples in the template style, runnable by name."""
