"""picture.py WINDOW.xwd SCREEN.ppm: whether a window (as xwd dumps it) shows exactly the picture that screendump saved,
each pixel as a square of the same whole size, in the middle, with black around it. picture.py WINDOW.xwd: whether it
shows anything at all."""
import struct
import sys

data = open(sys.argv[1], "rb").read()
header = struct.unpack(">25I", data[:100])
width, height, stride = header[4], header[5], header[12]
pixels = data[header[0] + header[19] * 12:]


def at(x, y):
    place = y * stride + x * 4
    return pixels[place + 2], pixels[place + 1], pixels[place]


if len(sys.argv) == 2:
    lit = sum(at(x, y) != (0, 0, 0) for y in range(height) for x in range(width))
    sys.exit(f"the window of {width}x{height} is black" if lit < 100 else 0)

_, size, _, rgb = open(sys.argv[2], "rb").read().split(b"\n", 3)
columns, rows = map(int, size.split())
factor = min(width // columns, height // rows)
left, top = (width - columns * factor) // 2, (height - rows * factor) // 2
if factor == 0:
    sys.exit(f"the window has {width}x{height} pixels, the screen {columns}x{rows}")
wrong = 0
for y in range(rows):
    for x in range(columns):
        wanted = tuple(rgb[(y * columns + x) * 3:(y * columns + x) * 3 + 3])
        corner = left + x * factor, top + y * factor
        wrong += at(*corner) != wanted or at(corner[0] + factor - 1, corner[1] + factor - 1) != wanted
around = sum(at(x, y) != (0, 0, 0) for y in range(height) for x in (0, width - 1) if left > 0)
if wrong or around:
    sys.exit(f"{wrong} of {columns * rows} pixels differ, {around} beside them, at {factor} to 1 in {width}x{height}")
