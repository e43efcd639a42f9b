"""hmp.py SOCKET COMMAND: one command of the monitor, and what it prints."""
import socket
import sys

monitor = socket.socket(socket.AF_UNIX)
monitor.settimeout(20)
monitor.connect(sys.argv[1])


def prompt():
    text = b""
    while not text.endswith(b"(xlat) "):
        text += monitor.recv(4096) or sys.exit("the monitor is gone")
    return text.decode("latin-1").replace("\r", "")


prompt()
monitor.sendall(sys.argv[2].encode() + b"\n")
print("\n".join(prompt().split("\n")[1:-1]))
