"""What nodes of any protocol are made of: timers, rate limits, samples, observations, and judging one's own health."""
