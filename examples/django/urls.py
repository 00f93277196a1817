"""The view of the profile, and its address."""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from laurels import BlockingLaurels

laurels = BlockingLaurels(os.environ.get("DATABASE", "sqlite:///app.db"))


def profile(request: HttpRequest) -> HttpResponse:
    user = request.headers["X-User"]  # in your app: request.user
    return HttpResponse(laurels.profile(user, login=True).to_json(), content_type="application/json")


urlpatterns = [path("api/gamification/profile", profile)]
