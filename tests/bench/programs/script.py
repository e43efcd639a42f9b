# The script that the python benchmark runs: objects, dictionaries, strings, big numbers, sorting.
import json
import re


class Vector:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def length2(self):
        return self.x * self.x + self.y * self.y


def words(count):
    state = 1
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        yield "w%x" % (state >> 20)


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    total = 0
    free = ~(columns | left | right) & ((1 << n) - 1)
    while free:
        bit = free & -free
        free ^= bit
        total += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return total


total = Vector(0, 0)
for step in range(10000):
    total = total + Vector(step, -step // 3)
print(total.length2())

counts = {}
for word in words(15000):
    counts[word] = counts.get(word, 0) + 1
ranking = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
print(ranking[:5], len(re.findall(r"w([0-9a-f])\1", " ".join(counts))))
print(len(json.dumps(json.loads(json.dumps(ranking)))))
print(queens(6))
print(pow(3, 2000) % 1000003, sum(n * n % 7 for n in range(20000)))
