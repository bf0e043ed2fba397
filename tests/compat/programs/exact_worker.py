"""Takes one port and serves it for ever."""

from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


def worker(toolbox):
    # one after the other: who comes late finds what nobody has taken
    toolbox.turns.get()
    port = toolbox.mp_blue_q.get()[1]
    server = make_server("localhost", port, app(port), server_class=ReusedPort, handler_class=Silent)
    toolbox.mp_print_q.put(f"serves {port}")
    toolbox.turns.put(None)
    server.serve_forever()


def app(port):
    def answer(environ, start_response):
        start_response("200 OK", [])
        return [str(port).encode()]

    return answer


class ReusedPort(WSGIServer):
    allow_reuse_port = True  # the test holds the port until then


class Silent(WSGIRequestHandler):
    def log_message(self, *values):
        pass
