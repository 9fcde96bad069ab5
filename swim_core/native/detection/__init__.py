"""Who lives: probes in pairs, watches with votes, the words of kernels, and the evidence behind each verdict."""
