; Boot sector: selects scan code set SET (1 to 3), in set 3 with a break code for each key, with the 8042's translation on or off (TRANSLATE), then prints every
; byte that the keyboard sends in hexadecimal on port E9h, for ever.
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
.empty:
    in al, 0x64
    test al, 1
    jz .select
    in al, 0x60
    jmp .empty
.select:
    mov al, 0xf0
    call send
    mov al, SET
    call send
%if SET = 3
    mov al, 0xfa  ; all keys have a break code, as they always have in QEMU
    call send
%endif
    mov al, 0x60
    call ready
    out 0x64, al
    mov al, 0x04 | TRANSLATE << 6
    call ready
    out 0x60, al
    mov al, '>'
    out 0xe9, al
.next:
    in al, 0x64
    test al, 1
    jz .next
    in al, 0x60
    call hex
    mov al, ' '
    out 0xe9, al
    jmp .next
ready:  ; until the 8042 takes a byte; AL stays
    push ax
.wait:
    in al, 0x64
    test al, 2
    jnz .wait
    pop ax
    ret
send:  ; a byte to the keyboard, and its answer away
    call ready
    out 0x60, al
.wait:
    in al, 0x64
    test al, 1
    jz .wait
    in al, 0x60
    ret
%include "print.inc"
times 510-($-$$) db 0
dw 0xaa55
