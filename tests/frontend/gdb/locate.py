# locate.py MODULE: finds bytes by which GRUB's module can be recognised in memory whatever it was relocated to. Prints
# their offset in .text and the bytes, as GDB's find takes them.
import re
import subprocess
import sys

WANTED = 24


def main(path):
    sections = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    at, size = (int(n, 16) for n in re.search(r" \.text +PROGBITS +\S+ (\S+) (\S+)", sections).groups())
    text = open(path, "rb").read()[at : at + size]
    relocations = subprocess.run(["readelf", "-rW", path], capture_output=True, text=True, check=True).stdout
    relocations = relocations.split("'.rel.text'")[1].split("Relocation section")[0]
    changed = sorted(int(line.split()[0], 16) for line in relocations.splitlines() if "R_386" in line)
    end = 0
    for place in changed:
        # From the middle of the module, where code is less like that of others.
        if place - end >= WANTED and end > size // 4:
            print(hex(end), ", ".join(hex(b) for b in text[end : end + WANTED]))
            return
        end = place + 4
    sys.exit("no bytes that stay the same")


main(sys.argv[1])
