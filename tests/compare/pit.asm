; Boot sector: the 8254's read-back command, status and byte order in counter 2, whose gate is closed; hex on port E9h.
org 0x7c00
%macro ctl 1
    mov al, %1
    out 0x43, al
%endmacro
%macro put 1
    mov al, %1
    out 0x42, al
%endmacro
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    in al, 0x61
    and al, 0xfc
    out 0x61, al
    mov bl, 0              ; each mode and access: status before a count, after each byte, latches
modes:
    mov al, bl
    or al, 0x80
    test al, 0x30
    jz .skip
    out 0x43, al
    call status
    put 0x34
    call status
    put 0x12
    call status
    ctl 0xc8               ; count and status
    ctl 0xe8               ; status again: ignored
    ctl 0xd8               ; count again: ignored
    call read
    call read
    call read
    call read
    ctl 0x80               ; latch, and again
    ctl 0x80
    call read
    call read
    call read
    call line
.skip:
    inc bl
    cmp bl, 0x40
    jb modes
    mov al, '!'
    out 0xe9, al
    mov al, 1
    out 0xf4, al
    hlt
    jmp $-1
status:
    ctl 0xe8
read:
    in al, 0x42
    call hex
    ret
line:
    mov al, 10
    out 0xe9, al
    ret
hex:
    push ax
    shr al, 4
    call digit
    pop ax
digit:
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe .put
    add al, 7
.put:
    out 0xe9, al
    ret
times 510-($-$$) db 0
dw 0xaa55
