"""A Django app: each process that serves requests is a member.

    INSTALLED_APPS = [..., "swim_threads.contrib.django"]
    SWIM = {"bind": "127.0.0.1:0", "join": "127.0.0.1:7946"}  # arguments of open_node; default: SWIM_* variables

    from swim_threads.contrib.django import node

    def members(request):
        return JsonResponse([member.to_dict() for member in node().members()], safe=False)

A process becomes a member with its first request, or with the first call of `node`. So ``manage.py migrate``, the
parent of ``runserver`` and a server that preloads the project are none. Processes on one host need ports of their own:
bind port 0, and join a seed that is none of them.
"""

from typing import Any

from swim_threads.contrib.per_process import NodePerProcess, checked

__all__ = ["node"]


def _arguments() -> dict[str, Any]:
    from django.conf import settings

    return checked(getattr(settings, "SWIM", None) or {}, "settings.SWIM")


node = NodePerProcess(_arguments)
"""``node()`` is the node of this process, opened if there is none yet."""
