; Boot sector: A20 by the keyboard controller and by port 92h, and their registers, after the BIOS; hex on port E9h.
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    dec ax
    mov es, ax
    call state
    mov al, 0xdd
    out 0x64, al
    call state
    mov al, 0xdf
    out 0x64, al
    call state
    mov al, 0
    out 0x92, al
    call state
    mov al, 0xd1
    out 0x64, al
    mov al, 0xcd
    out 0x60, al
    call state
    mov al, 2
    out 0x92, al
    call state
    mov al, 0xd1
    out 0x64, al
    mov al, 0xcd
    out 0x60, al
    call state
    mov al, 0xff
    out 0x64, al
    call state
    jmp finish
; Port 92h, output port, status register, and whether FFFF:0510 is 0:0500.
state:
    in al, 0x92
    call hex
    mov al, 0xd0
    out 0x64, al
.wait:
    in al, 0x64
    test al, 1
    jz .wait
    in al, 0x60
    call hex
    in al, 0x64
    call hex
    mov byte [0x500], 0x5a
    mov byte [es:0x510], 0xa5
    mov al, [0x500]
    call hex
    call newline
    ret
%include "print.inc"
times 510-($-$$) db 0
dw 0xaa55
