"""What every process needs: settings, logs, clock, metrics, the log and its connections."""
