"""What the Makefile and .ci/run call: python -m tools.NAME, from the root of the repository."""
