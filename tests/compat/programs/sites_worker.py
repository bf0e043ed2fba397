"""Worker of the sites: takes one port, starts one server in a thread, and is done."""

import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

color_dict = {
    "BLUE": "\033[1;34;48m",
    "YELLOW": "\033[1;33;48m",
    "END": "\033[1;37;0m",
}


def worker(toolbox):
    proc_start_num = toolbox.kwargs["START_SEQUENCE_NUM"]
    port, col = 0, None
    if proc_start_num in toolbox.blue_lst:
        col = color_dict["BLUE"]
        port = blue_q_get(toolbox)[1]
    if proc_start_num in toolbox.yellow_lst:
        col = color_dict["YELLOW"]
        port = yellow_q_get(toolbox)[1]

    app_factory = create_app(toolbox, port)
    threading.Thread(target=lambda: app_factory.serve_forever()).start()
    msg = col + f"WORKER_MSG worker: {toolbox.WORKER_ID} server port: {port}" + color_dict["END"]
    toolbox.mp_print_q.put(msg)
    return False


def blue_q_get(toolbox):
    while 1:
        if not toolbox.mp_blue_q.empty():
            port_lst = toolbox.mp_blue_q.get()
            return port_lst


def yellow_q_get(toolbox):
    while 1:
        if not toolbox.mp_yellow_q.empty():
            port_lst = toolbox.mp_yellow_q.get()
            return port_lst


def create_app(toolbox, port):
    def app(environ, start_response):
        start_response("200 OK", [])
        toolbox.mp_print_q.put(f"page of port {port}")
        return [f"{toolbox.START_SEQUENCE_NUM} {port}".encode()]

    return make_server("localhost", port, app, server_class=ReusedPort, handler_class=Silent)


class ReusedPort(WSGIServer):
    allow_reuse_port = True  # the test holds the port until then


class Silent(WSGIRequestHandler):
    def log_message(self, *values):
        pass
