"""Failure detection: probes in pairs, watches with votes, what kernels report, and the evidence for each verdict."""
