# The only program of a Linux guest: counts in a page of its own and sleeps in between.
        .globl  _start, hits, tick
        .text
_start: incl    other
tick:   incl    hits
        mov     $162, %eax              # nanosleep
        mov     $pause, %ebx
        xor     %ecx, %ecx
        int     $0x80
        jmp     _start
        .data
        .balign 4096
hits:   .long   0
        .balign 4096
other:  .long   0
pause:  .long   0, 10000000
