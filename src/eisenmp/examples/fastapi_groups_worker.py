"""Worker of the example fastapi_groups: a FastAPI application that tells by which door a request came."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, Request

app = FastAPI()


@app.get("/")
async def door(request: Request) -> dict[str, Any]:
    """The port that was asked, the process that answers, and the cores that it may run on."""
    cores = getattr(os, "sched_getaffinity", lambda pid: ())(0)
    return {"port": request.scope["server"][1], "pid": os.getpid(), "cores": sorted(cores)}
