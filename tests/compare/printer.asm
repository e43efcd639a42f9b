; Boot sector: prints a line by the BIOS on LPT1, and shows each status and the port's registers in hex on port E9h.
org 0x7c00
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ah, 1
    xor dx, dx
    int 0x17
    mov al, ah
    call hex
    mov si, text
.next:
    lodsb
    or al, al
    jz .end
    xor ah, ah
    xor dx, dx
    int 0x17
    mov al, ah
    call hex
    jmp .next
.end:
    mov ah, 2
    xor dx, dx
    int 0x17
    mov al, ah
    call hex
    call newline
    mov dx, 0x378
.register:
    in al, dx
    call hex
    inc dx
    cmp dx, 0x37b
    jb .register
    jmp finish
text:
    db "Hi, LPT1", 13, 10, 12, 0
%include "print.inc"
times 510-($-$$) db 0
dw 0xaa55
