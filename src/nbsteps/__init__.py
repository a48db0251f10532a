"""nbsteps: pipelines in notebooks."""
