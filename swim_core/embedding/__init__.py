"""What all adapters share: checking arguments, queueing events, wording log messages."""
