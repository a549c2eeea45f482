"""What an event, record, envelope, link and entry is. Imports nothing of ours."""
