"""A FastAPI app that shows its users the profile: `uvicorn --app-dir examples/fastapi app:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Header, Response

from laurels import Laurels


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Laurels.open(os.environ.get("DATABASE", "sqlite:///app.db")) as app.state.laurels:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/api/gamification/profile")
async def profile(x_user: Annotated[str, Header()]) -> Response:  # in your app: the user who is signed in
    return Response((await app.state.laurels.profile(x_user, login=True)).to_json(), media_type="application/json")
