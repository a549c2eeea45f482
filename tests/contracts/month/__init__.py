"""A month of a small company, sent once for each mode, and all that is asked of it."""
