"""The least that Django needs."""

SECRET_KEY = "for this example only"  # noqa: S105
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
