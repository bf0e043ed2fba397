"""Worker of the example http_server: a handler class of http.server."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler

STATIONS = {"/0": "jazz", "/1": "classic", "/2": "news", "/3": "ambient"}  #: path: what is on


class Radio(BaseHTTPRequestHandler):
    """Tells what is on, and which process of the system says so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        station = STATIONS.get(self.path)
        if station is None:
            self.send_error(404, f"there are {', '.join(STATIONS)}")
            return
        body = json.dumps({"station": station, "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the console is for what the manager prints."""
