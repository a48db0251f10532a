"""Is this code, value or file still the same? Reads files and live values, decides nothing."""
