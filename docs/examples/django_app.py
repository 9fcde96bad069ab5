"""A Django project of one file whose processes are members, by the app `swim_threads.contrib.django`.

    pip install django
    swim agent --name seed                                                                       # first terminal
    SWIM_BIND=127.0.0.1:0 SWIM_JOIN=127.0.0.1:7946 python docs/examples/django_app.py runserver  # second
    curl localhost:8000/members                                                                  # third

`runserver` consists of two processes, of which only the one that serves becomes a member, with its first request.
`manage.py` commands become none.
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from swim_threads.contrib.django import node

settings.configure(
    DEBUG=True,
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["swim_threads.contrib.django"],
    SWIM={"metadata": {"role": "shop", "parent": str(os.getppid())}},  # all arguments of open_node can stand here
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
)


def members(request: HttpRequest) -> JsonResponse:
    """Everybody, in the view of this process."""
    return JsonResponse([member.to_dict() for member in node().members()], safe=False)


urlpatterns = [path("members", members)]

if __name__ == "__main__":
    if sys.argv[1:] in ([], ["--help"]):
        sys.exit(__doc__)
    execute_from_command_line(sys.argv)
else:
    application = get_wsgi_application()  # for gunicorn and its like: django_app:application
