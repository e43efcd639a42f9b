"""Runs guests that tests/guests describes: starts xlat, waits for texts, types answers, checks how it ends."""
import array
import contextlib
import glob
import hashlib
import itertools
import math
import os
import re
import selectors
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import wave

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import byte_server

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "xlat", "guests")


# How much longer a run may take.
PATIENCE = {"interp": 2, "lockstep": 6}


class Failure(Exception):
    pass


class Run:
    """One start of xlat: its serial port is our pipe, its monitor a Unix socket."""

    def __init__(self, args, deadline, work, transcript):
        self.deadline = deadline
        self.transcript = transcript
        self.text = ""
        self.seen = 0
        self.monitor_path = os.path.join(work, "monitor")
        command = [os.path.join(ROOT, "build/release/xlat"), *args,
                   "-monitor", f"unix:{self.monitor_path},server,nowait"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=work)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def left(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failure("time is up")
        return left

    def read(self):
        """More serial output, or False at its end."""
        for _ in self.selector.select(min(self.left(), 1)):
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return False
            self.transcript.write(data)
            self.text += data.decode("latin-1").replace("\r", "")
        return True

    def expect(self, pattern):
        compiled = re.compile(pattern)
        while True:
            found = compiled.search(self.text, self.seen)
            if found:
                self.seen = found.end()
                return
            if not self.read():
                raise Failure(f"ended before printing /{pattern}/")

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def monitor(self, *lines):
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(self.left())
            channel.connect(self.monitor_path)
            answer = b""
            for line in (None, *lines):
                if line is not None:
                    channel.sendall(line.encode() + b"\n")
                answer = b""
                while not answer.rstrip().endswith(b"(xlat)"):
                    data = channel.recv(4096)
                    if not data:
                        return answer
                    answer += data
            return answer

    def status(self, word):
        """Waits until the monitor's info status has the word."""
        while word.encode() not in self.monitor("info status"):
            self.left()
            time.sleep(0.1)

    def screen(self):
        """The text of an 80x25 VGA screen, from the guest's memory."""
        dump = self.monitor_path + ".screen"
        self.monitor(f"pmemsave 0xb8000 4000 {dump}")
        with open(dump, "rb") as file:
            cells = file.read()
        text = "".join(chr(c) if 32 <= c < 127 else " " for c in cells[0::2])
        return "\n".join(text[n:n + 80].rstrip() for n in range(0, 2000, 80))

    def expect_screen(self, pattern):
        compiled = re.compile(pattern, re.M)
        while not os.path.exists(self.monitor_path):
            self.left()
            time.sleep(0.05)
        while not compiled.search(self.screen()):
            self.left()
            if self.process.poll() is not None:
                raise Failure(f"ended before the screen showed /{pattern}/")
            time.sleep(0.3)

    def reach(self, text):
        """Sends the text to the port of this host that leads to the guest's echo server, and waits for it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=self.left()) as channel:
            channel.settimeout(self.left())
            channel.sendall(text.encode())
            answer = b""
            while len(answer) < len(text):
                data = channel.recv(4096)
                if not data:
                    break
                answer += data
        if answer.decode("latin-1") != text:
            raise Failure(f"the guest echoed {answer!r}, not {text!r}")

    def type_keys(self, keys):
        for key in shlex.split(keys):
            self.monitor(f"sendkey {key}")
            time.sleep(0.1)

    def type_text(self, text):
        """Types on a US keyboard."""
        names = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", ",": "comma", ".": "dot", "/": "slash",
                 ";": "semicolon", "'": "apostrophe", "\\": "backslash", "[": "bracket_left", "]": "bracket_right"}
        shifted = dict(zip('!@#$%^&*()_+:"<>?', '1234567890-=;\',./'))
        for char in text:
            low = shifted.get(char, char.lower())
            key = names.get(low, low)
            self.monitor(f"sendkey {'shift-' if low != char else ''}{key}")
            time.sleep(0.1)

    def finish(self, status):
        """Waits for the end by itself (status given), or ends it."""
        if status is None:
            self.monitor("quit")
        while self.read():
            pass
        got = self.process.wait(timeout=self.left())
        if got != (status or 0):
            raise Failure(f"exit status {got}, not {status or 0}")

    def kill(self):
        self.process.kill()
        self.process.wait()


def with_sums(text, files):
    """Replaces {md5:FILE} by the sum of an assembled file."""
    def md5(found):
        with open(os.path.join(files, found[1]), "rb") as file:
            return hashlib.md5(file.read()).hexdigest()
    text = re.sub(r"\{noise:(\d+)\}", lambda found: byte_server.noise_sum(int(found[1])), text)
    return re.sub(r"\{md5:([^}]+)\}", md5, text)


def known_host():
    """A name that the host's resolver knows from a name server, and its address: where Debian's packages come from."""
    sources = glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*")
    for path in sources:
        with open(path, encoding="utf-8", errors="replace") as file:
            for host in re.findall(r"https?://([\w.-]+)", file.read()):
                with contextlib.suppress(OSError):
                    return host, socket.gethostbyname(host)
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check_tone(path, tone):
    """A tone of tone["hz"] for about tone["seconds"] in a 16-bit WAV file: its pitch, and that nothing breaks it."""
    with wave.open(path) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        samples = array.array("h", file.readframes(file.getnframes()))[::channels]
    loud = [n for n, sample in enumerate(samples) if abs(sample) > 500]
    if not loud:
        raise Failure(f"{tone['file']}: nothing is heard")
    # Without the first and last 50 ms.
    heard = samples[loud[0] + rate // 20:loud[-1] - rate // 20]
    seconds = len(heard) / rate + 0.1
    if abs(seconds - tone["seconds"]) > 0.1 * tone["seconds"]:
        raise Failure(f"{tone['file']}: {seconds:.3f} s are heard, not {tone['seconds']}")
    rises = [n - heard[n] / (heard[n] - heard[n - 1]) for n in range(1, len(heard)) if heard[n - 1] < 0 <= heard[n]]
    hz = (len(rises) - 1) * rate / (rises[-1] - rises[0])
    if abs(hz / tone["hz"] - 1) > 0.005:
        raise Failure(f"{tone['file']}: {hz:.2f} Hz, not {tone['hz']}")
    # A pure tone goes on by a recurrence; a click or a gap does not.
    factor, top = 2 * math.cos(2 * math.pi * hz / rate), max(abs(sample) for sample in heard)
    for n in range(1, len(heard) - 1):
        if abs(heard[n + 1] - factor * heard[n] + heard[n - 1]) > tone.get("rough", 0.02) * top + 8:
            raise Failure(f"{tone['file']}: a click or a gap {n / rate:.3f} s into the tone")


def run_guest(name, spec, engine):
    files = os.path.join(CACHE, name)
    subprocess.run([os.path.join(ROOT, "tools/assemble-guest.sh"), spec.get("files", name)], check=True)
    files = os.path.join(CACHE, spec.get("files", name))
    with tempfile.TemporaryDirectory() as work, open(os.path.join(CACHE, name + ".log"), "wb", buffering=0) as transcript:
        for copied in spec.get("copies", []):
            shutil.copy(os.path.join(files, copied), work)
        for line in spec.get("images", []):
            words = [word.replace("{files}", files) for word in shlex.split(line)]
            subprocess.run([os.path.join(ROOT, "build/release/xlat-img"), *words], cwd=work, check=True, stdout=transcript)
        outputs = []
        port = free_port()
        known = known_host() if "{name}" in spec["command"] else None
        server = byte_server.start().server_address[1] if "{server}" in spec["command"] else 0
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(os.path.join(files, "served"), os.path.join(work, "served"))
        def command(more):
            args = [part.replace("{files}", files).replace("{work}", work).replace("{server}", str(server))
                    .replace("{port}", str(port)).replace("{name}", known[0] if known else "localhost") for part in shlex.split(spec["command"] + " " + more)]
            return args + (["-engine", engine] if engine else [])
        for more, steps in itertools.product(spec.get("variants", [""]), spec["runs"]):
            args = command(more + " " + steps.get("command", ""))
            run = Run(args, time.monotonic() + spec.get("timeout", 300) * (PATIENCE.get((engine or "").split(",")[0], 1)), work, transcript)
            run.port = port
            try:
                for step in steps["steps"]:
                    for action, value in step.items():
                        value = with_sums(value, files)
                        if "{address}" in value:
                            value = value.replace("{address}", re.escape(known[1])) if known else ""
                        getattr(run, {"keys": "type_keys", "screen": "expect_screen", "type": "type_text"}.get(action, action))(value)
                run.finish(steps.get("exit"))
                for tone in steps.get("tones", []):
                    check_tone(os.path.join(work, tone["file"]), tone)
                outputs.append(run.text)
            except Failure as failure:
                raise Failure(f"{more}{': ' if more else ''}{failure}; its serial output is in {transcript.name}") from None
            finally:
                run.kill()
        if spec.get("identical") and len(set(outputs)) != 1:
            raise Failure(f"the runs printed different bytes; they are in {transcript.name}")


def main():
    specs = {}
    folder = os.path.join(ROOT, "tests/guests")
    for entry in sorted(os.listdir(folder)):
        if entry.endswith(".toml"):
            with open(os.path.join(folder, entry), "rb") as file:
                specs[entry[:-5]] = tomllib.load(file)
    wanted = sys.argv[1:]
    engine = None
    if wanted[:1] == ["--engine"]:
        engine = wanted[1] if len(wanted) > 1 else ""
        if engine.split(",")[0] not in ("jit", "interp", "lockstep"):
            sys.exit(f"xlat: --engine '{engine}': give jit, interp or lockstep")
        wanted = wanted[2:]
    if wanted == ["--smoke"]:
        wanted = [name for name, spec in specs.items() if spec.get("smoke")]
    for name in wanted:
        if name not in specs:
            sys.exit(f"xlat: no guest '{name}'; there are: {' '.join(specs)}")
    failed = 0
    names = wanted or list(specs)
    for name in names:
        start = time.monotonic()
        try:
            run_guest(name, specs[name], engine)
            print(f"{name}: ok, {time.monotonic() - start:.1f} s", flush=True)
        except (Failure, subprocess.SubprocessError, OSError) as failure:
            failed += 1
            print(f"{name}: FAILED: {failure}", flush=True)
    print(f"guests: {len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
