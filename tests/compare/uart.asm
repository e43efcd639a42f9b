; Boot sector: COM1's registers after the BIOS, in loopback with each word length, and after writes; hex on port E9h.
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    call registers
    mov bl, 0
lengths:
    mov dx, 0x3fb
    mov al, bl
    out dx, al
    inc dx
    mov al, 0x1f
    out dx, al
    mov dx, 0x3f8
    mov al, 0xe5
    out dx, al
    mov cx, 5000
.pass:
    in al, 0x80
    loop .pass
    call registers
    mov dx, 0x3fc
    mov al, 0x0b
    out dx, al
    call registers
    inc bl
    cmp bl, 4
    jb lengths
    mov dx, 0x3fb
    mov al, 0x83
    out dx, al
    mov dx, 0x3f8
    mov ax, 0x1234
    out dx, ax
    in ax, dx
    call hex
    mov al, ah
    call hex
    mov dx, 0x3fb
    mov al, 0x43
    out dx, al
    mov dx, 0x3fa
    mov al, 0xc7
    out dx, al
    call registers
    mov dx, 0x3f9
    mov al, 0xff
    out dx, al
    call registers
    call registers
    jmp finish
registers:
    mov dx, 0x3f8
.next:
    in al, dx
    call hex
    inc dx
    cmp dx, 0x400
    jb .next
    call newline
    ret
%include "print.inc"
times 510-($-$$) db 0
dw 0xaa55
