"""Copies to a file what Redis executes: ``python copy_monitor.py HOST PORT FILE`` prints a line when it begins."""

import socket
import sys
import time
from pathlib import Path

#: Seconds between two looks: Redis keeps the rest meanwhile.
PAUSE = 0.05

if __name__ == "__main__":
    host, port, name = sys.argv[1:]
    with socket.create_connection((host, int(port))) as connection, Path(name).open("wb", buffering=0) as output:
        connection.sendall(b"MONITOR\r\n")
        connection.recv(5)
        print(flush=True)
        while data := connection.recv(1 << 22):
            output.write(data)
            time.sleep(PAUSE)
