"""A Flask app that shows its users the profile: `flask --app examples/flask/app.py run`."""

import os

from flask import Flask, Response, request

from laurels import BlockingLaurels

app = Flask(__name__)
laurels = BlockingLaurels(os.environ.get("DATABASE", "sqlite:///app.db"))


@app.get("/api/gamification/profile")
def profile() -> Response:
    user = request.headers["X-User"]  # in your app: the user who is signed in
    return Response(laurels.profile(user, login=True).to_json(), mimetype="application/json")
