"""browse.py LINK SERIAL PICTURE.png: opens LINK in headless Chromium by its debugging protocol, types into the page until
SERIAL has it, and looks whether the page shows more than a background."""
import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

link, serial, picture = sys.argv[1:]


class Page:
    """Chromium's debugging protocol over a pipe: JSON, each message ended by a zero byte."""

    def __init__(self):
        self.home = tempfile.mkdtemp()
        to_us, theirs_out = os.pipe()
        theirs_in, to_them = os.pipe()

        def hand_over():
            os.dup2(os.dup(theirs_in), 13)
            os.dup2(os.dup(theirs_out), 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={self.home}", "--window-size=1000,700", "about:blank"],
            preexec_fn=hand_over, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_out)
        os.close(theirs_in)
        self.source, self.target, self.number, self.left = to_us, to_them, 0, b""
        page = [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"][0]
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]

    session = None

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.target, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.left:
                self.left += os.read(self.source, 1 << 20) or sys.exit("the browser is gone")
            line, self.left = self.left.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self.number:
                return answer.get("result") or sys.exit(f"{method}: {answer}") if "error" in answer else answer["result"]

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def lit_pixels(png):
    """How many pixels of noVNC's canvas are neither black nor its grey background: letters."""
    data, chunks, at = png, b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            chunks += data[at + 8:at + 8 + length]
        at += length + 12
    size = {2: 3, 6: 4}[colour]
    raw, above, lit = zlib.decompress(chunks), bytearray(width * size), 0
    for y in range(height):
        row = bytearray(raw[y * (width * size + 1) + 1:(y + 1) * (width * size + 1)])
        way = raw[y * (width * size + 1)]
        for x in range(len(row)):
            left = row[x - size] if x >= size else 0
            corner = above[x - size] if x >= size else 0
            guess = left + above[x] - corner
            nearest = min((abs(guess - v), n, v) for n, v in enumerate((left, above[x], corner)))[2]
            row[x] = (row[x] + (0, left, above[x], (left + above[x]) // 2, nearest)[way]) & 255
        lit += sum(row[x] > 120 and row[x + 1] > 120 and row[x + 2] > 120 for x in range(0, len(row), size))
        above = row
    return lit


page = Page()
try:
    page.ask("Page.enable")
    page.ask("Page.navigate", url=link)
    deadline = time.monotonic() + 60
    while not open(serial).read().endswith("kk"):
        if time.monotonic() > deadline:
            sys.exit(f"no key has reached the guest: {open(serial).read()!r}")
        for kind in ("keyDown", "keyUp"):
            page.ask("Input.dispatchKeyEvent", type=kind, key="k", code="KeyK", windowsVirtualKeyCode=75,
                     **({"text": "k"} if kind == "keyDown" else {}))
        time.sleep(0.5)
    time.sleep(1)
    png = base64.b64decode(page.ask("Page.captureScreenshot")["data"])
    open(picture, "wb").write(png)
    if lit_pixels(png) < 500:
        sys.exit("the page shows no text")
finally:
    page.close()
