"""SWIM membership on one standard-library thread and one UDP socket; needs no event loop."""
