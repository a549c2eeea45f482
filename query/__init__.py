"""HTTP out: pages, records, the register, positions. Reads the timeline, changes nothing."""
