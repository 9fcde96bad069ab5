"""Building blocks for nodes of any protocol: timers, rate limits, samples, observations, and local health."""
