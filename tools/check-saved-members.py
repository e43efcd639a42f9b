#!/usr/bin/env python3
"""Fails when a class that is saved (it has `serialize(Archive&)`) has a data member that neither its serialize function
names nor tests/machine/unsaved_members.txt lists with a reason. References, constants, functions and how a chip is wired
are no state."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
rooms = ["base", "mmu", "cpu", "jit", "devices", "machine"]
NO_STATE = re.compile(r"^(static|using|typedef|friend|enum|constexpr|const|template|class|struct)\b|&\s*\w+$|"
                      r"std::function<|\b(PortRange|IrqLine|IoErrorHook|operator)\b")


def plain(text):
    """Without comments, preprocessor lines and what is in string literals."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/', '', text, flags=re.S)
    text = re.sub(r'^\s*#[^\n]*(\\\n[^\n]*)*', '', text, flags=re.M)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def body_at(text, brace):
    """What is between the brace at this place and its partner."""
    depth = 0
    for at in range(brace, len(text)):
        depth += {'{': 1, '}': -1}.get(text[at], 0)
        if depth == 0:
            return text[brace + 1:at]
    return ''


def classes(text, outer=''):
    """(name, body) of every class in `text`, nested ones as Outer::Inner."""
    for m in re.finditer(r'\b(?:class|struct)\s+(\w+)(?:\s+final)?(?:\s*:[^;{}()]*)?\s*\{', text):
        before = text[:m.start()]
        if before.count('{') != before.count('}') + before.count('namespace') - before.count('using namespace') and outer:
            continue  # deeper: its outer class finds it
        body = body_at(text, m.end() - 1)
        yield outer + m.group(1), body
        yield from classes(body, outer + m.group(1) + '::')


def members(body):
    """Names of the data members, by a walk over the statements at the body's own level."""
    flat, depth = [], 0
    for c in body:
        if c == '{':
            depth += 1
            if depth == 1:
                flat.append('{}')
        elif c == '}':
            depth -= 1
        elif depth == 0:
            flat.append(c)
    for statement in re.split(r';|\{\}(?=\s*(?:[A-Za-z~\[]|$))', ''.join(flat)):
        statement = re.sub(r'\b(public|private|protected)\s*:', ' ', statement)
        statement = ' '.join(statement.replace('{}', ' ').split())
        if not statement or '(' in re.sub(r'<[^<>]*(<[^<>]*>[^<>]*)*>', '', statement.split('=')[0]):
            continue
        if NO_STATE.search(statement.split('=')[0].strip()) or not re.search(r'\w\s+[\w]', statement):
            continue
        # "Type a = 1, b, c[3]"
        declared = re.sub(r'<[^<>]*(<[^<>]*(<[^<>]*>[^<>]*)*>[^<>]*)*>', '', statement)
        declared = re.sub(r'\[[^\]]*\]', '', declared)
        first, *rest = declared.split(',')
        m = re.match(r'^(?:mutable\s+)?[\w:]+(?:\s+[\w:]+)*?[\s*]+(\w+)\s*(=.*|:\s*\w+)?$', first.strip())
        if m:
            yield m.group(1)
            for more in rest:
                n = re.match(r'^\s*\*?(\w+)\s*(=.*)?$', more)
                if n:
                    yield n.group(1)


sources = {p: plain(p.read_text()) for room in rooms for p in sorted((root / room).rglob('*'))
           if p.suffix in ('.h', '.cpp')}
allowed = {}
list_path = root / 'tests/machine/unsaved_members.txt'
for number, line in enumerate(list_path.read_text().splitlines(), 1):
    if not line or line.startswith('#'):
        continue
    names, _, reason = line.partition(':  ')
    if not reason.strip():
        sys.exit(f'{list_path.name}:{number}: no reason given')
    owner, _, listed = names.partition(' ')
    for name in listed.replace(',', ' ').split():
        allowed[owner, name] = number

missing, used = [], set()
for path, text in sources.items():
    for name, body in classes(text):
        if not re.search(r'\bserialize\(Archive&', body):
            continue
        inline = re.search(r'\bserialize\(Archive& ?\w*\)[^;{]*\{', body)
        code = body_at(body, inline.end() - 1) if inline else ''
        for other in sources.values():
            # The class' own members that serialize calls count as well.
            for m in re.finditer(r'\b' + re.escape(name) + r'::(?:serialize\w*\(Archive&|state_parts\()[^;{]*\{', other):
                code += body_at(other, m.end() - 1)
        if not code:
            continue
        own = list(members(body))
        for nested, nested_body in classes(body):
            if 'serialize(Archive&' not in nested_body:
                own += members(nested_body)
        for member in own:
            if re.search(r'\b' + member + r'\b', code):
                continue
            if (name, member) in allowed:
                used.add((name, member))
                continue
            missing.append(f'{path.relative_to(root)}: {name}::{member} is not saved; name it in {name}::serialize, or in '
                           f'{list_path.relative_to(root)} with the reason')
for (owner, member), number in allowed.items():
    if (owner, member) not in used:
        missing.append(f'{list_path.relative_to(root)}:{number}: {owner} has no unsaved member {member}')
print('\n'.join(missing))
sys.exit(1 if missing else 0)
