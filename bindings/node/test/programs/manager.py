"""A service manager that listens. Usage: manager.py SOCKET. Writes what it is told, a line each."""

import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(sys.argv[1])
    print("listening", flush=True)
    while True:
        print(manager.recv(1_000).decode(), flush=True)
