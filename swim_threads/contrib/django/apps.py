"""What Django finds in ``INSTALLED_APPS``."""

from django.apps import AppConfig
from django.core.signals import request_started

from swim_threads.contrib import django

__all__ = ["SwimConfig"]


class SwimConfig(AppConfig):
    """Has the first request of each process open its node."""

    name = "swim_threads.contrib.django"
    label = "swim"

    def ready(self) -> None:
        """Called in every process of Django's, and in those that only fork: nothing is opened here."""
        django._arguments()  # a mistake in the settings is seen at the start
        request_started.connect(_open_first, dispatch_uid="swim")


def _open_first(**_: object) -> None:
    django.node()
