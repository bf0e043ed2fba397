"""One blocking server in each process; main() returns and the servers stay. Arguments: a port for each."""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import eisenmp

hostName = "localhost"
radio_url_lst = [(f"radio_{number}", f"http://radio.example/{number}") for number in range(13)]


class ModuleConfiguration:
    first_module = {
        "WORKER_PATH": os.path.join(os.path.dirname(__file__), "web.py"),
        "WORKER_REF": "worker_http",
    }

    def __init__(self):
        self.worker_modules = [self.first_module]
        self.PROCS_MAX = 3
        self.ROWS_MAX = 1
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.radio_name = None
        self.radio_url = None
        self.ports = [int(argument) for argument in sys.argv[1:]]


modConf = ModuleConfiguration()


def manager_http_srv():
    emp = eisenmp.Mp()
    emp.start(**modConf.__dict__)
    generator = (radio_url for radio_url in radio_url_lst)
    emp.run_q_feeder(generator=generator)


def worker_http(toolbox):
    """Blocks in its server."""
    WORKER_ID = toolbox.WORKER_ID
    serverPort = toolbox.ports[WORKER_ID - 1]
    while 1:
        toolbox.next_lst = toolbox.mp_input_q.get()
        break
    if toolbox.STOP_MSG in toolbox.next_lst[1]:
        return False
    toolbox.radio_name, toolbox.radio_url = toolbox.next_lst[1]
    MyServer.toolbox = toolbox
    webServer = ReusedPort((hostName, serverPort), MyServer)
    toolbox.mp_print_q.put(f"Server {WORKER_ID} started http://{hostName}:{serverPort}")
    try:
        webServer.serve_forever()
    except KeyboardInterrupt:
        pass
    webServer.server_close()


class ReusedPort(HTTPServer):
    allow_reuse_port = True  # the test holds the port until then


class MyServer(BaseHTTPRequestHandler):
    toolbox = None

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.toolbox.radio_name} {self.toolbox.WORKER_PID}".encode())
        self.toolbox.mp_print_q.put(f"asked for {self.path}: {self.toolbox.WORKER_NAME}")

    def log_message(self, *values):
        pass


def main():
    start = time.perf_counter()
    manager_http_srv()
    msg_time = "HTTP Server, Time in sec: ", round(time.perf_counter() - start)
    print(msg_time, flush=True)
    return msg_time


if __name__ == "__main__":
    main()
