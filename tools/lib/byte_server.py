"""An HTTP server for guests: GET /get/N gives N bytes that are the same each time, POST /put answers with the MD5 sum."""
import hashlib
import http.server
import socketserver
import threading


def noise(count):
    """Bytes without a pattern that a lost or misplaced piece could hide in, in blocks."""
    block = number = 0
    while count > 0:
        block = b"".join(hashlib.sha512(b"%d" % (number + n)).digest() for n in range(1024))
        number += 1024
        yield block[:count]
        count -= len(block)


def noise_sum(count):
    total = hashlib.md5()
    for block in noise(count):
        total.update(block)
    return total.hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    cache = {}

    def log_message(self, *_):
        pass

    def do_GET(self):
        count = int(self.path.rsplit("/", 1)[1])
        self.send_response(200)
        self.send_header("Content-Length", str(count))
        self.end_headers()
        if count not in self.cache:
            self.cache[count] = b"".join(noise(count))
        self.wfile.write(self.cache[count])

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        total = hashlib.md5()
        while left > 0:
            block = self.rfile.read(min(left, 65536))
            if not block:
                return
            total.update(block)
            left -= len(block)
        answer = total.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def start():
    """A server on a free port of this host, in a thread."""
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    running = start()
    print(running.server_address[1], flush=True)
    threading.Event().wait()
