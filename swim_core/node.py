"""Placeholder: the native node lands next."""


class Node:
    pass
