"""HTTP in, log out: reads a body, decides per event, appends, answers 202 when it is durable."""
