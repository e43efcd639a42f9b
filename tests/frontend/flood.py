"""flood.py PORT: a member of the multicast LAN that sends garbage and broadcasts five hundred a second."""
import os
import socket
import sys
import time

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
frames = [b"\xff" * 6 + b"\x02\0\0\0\0\7" + b"\x08\x00" + os.urandom(1400), b"x", os.urandom(9000), os.urandom(60)]
number = 0
while True:
    for _ in range(25):
        number += 1
        try:
            sock.sendto(frames[number % len(frames)], ("230.0.0.1", int(sys.argv[1])))
        except OSError:
            pass
    time.sleep(0.05)
