# For GDB debugging a guest of xlat: at each stop, disassemble as the code there runs, in 16 or 32 bits.
#   gdb -x tools/gdb/xlat.py -ex 'target remote :1234'
# Why this needs GDB's help is told in docs/adr/0013-gdb-real-mode.md.
import gdb


def architecture():
    return gdb.selected_inferior().architecture().name()


def follow_mode(event=None):
    """Sets GDB's architecture to that of CS; without a guest of xlat it does nothing."""
    try:
        bits = int(gdb.parse_and_eval("$code_bits"))
    except (gdb.error, ValueError, TypeError):
        return
    wanted = "i8086" if bits == 16 else "i386"
    if architecture() == wanted:
        return
    gdb.execute("set architecture " + wanted, to_string=True)
    # Of two that are compatible GDB takes the more capable one, so the target's own has to be i8086. It says so if it
    # is asked in 16-bit code.
    if architecture() != wanted:
        gdb.execute("unset tdesc filename", to_string=True)


class FollowMode(gdb.Command):
    """Disassemble in 16 or 32 bits as the processor does now. Done by itself at each stop."""

    def __init__(self):
        super().__init__("follow-mode", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        follow_mode()


FollowMode()
gdb.events.stop.connect(follow_mode)
gdb.events.before_prompt.connect(follow_mode)
