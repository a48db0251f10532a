"""Pure decisions: what the notebook says, what must run, and why. Standard library only, no I/O."""
