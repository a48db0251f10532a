"""What happens now, and in what order. Reaches the outside only through nbsteps.ports."""
