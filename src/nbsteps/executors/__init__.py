"""Where bodies run. Each is a concurrent.futures.Executor."""
