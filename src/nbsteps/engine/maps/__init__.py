"""Steps with ``--map``: their items looked up, executed here or away, recorded and summed up."""
