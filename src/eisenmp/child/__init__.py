"""What runs in the worker process; starts light."""
