"""Nodes for frameworks. Each module needs its framework; nothing else here imports one."""
