"""What happens to an envelope between the log and the timeline store.

The core (`correlator.py` and what it imports) is pure: envelope and offset in; entries, dead
letters and the row to keep out. `app.py` runs it under Faust, `embedded.py` over the SQLite log,
`sink.py` brings what comes out into the store.
"""
