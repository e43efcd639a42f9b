; Boot sector and seven more: 600 BitBLTs of random parameters on a GD5446, each on a fresh pattern, with a sum of the
; memory afterwards; hex on port E9h. A line is number, mode, extension, raster operation, skipped pixels, sum.
cpu 386
org 0x7c00
ROUNDS equ 600
FRAME equ 0x3000        ; bytes of video memory that are looked at
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    sti
    mov ax, 0x0207      ; seven sectors behind this one
    mov cx, 2
    xor dh, dh
    mov es, dx
    xor ax, ax
    mov es, ax
    mov ax, 0x0207
    mov bx, 0x7e00
    int 0x13
    jmp 0x0000:main
%include "print.inc"
    times 510-($-$$) db 0
    dw 0xaa55

%macro gr 2             ; graphics register, value
    mov al, %1
    mov ah, %2
    call set_gr
%endmacro

main:
    mov ax, 0x0013
    int 0x10
    mov dx, 0x3c4
    mov ax, 0x1206
    out dx, ax
    mov ax, 0x0107      ; packed pixels
    out dx, ax
    gr 0x0b, 0
    gr 0x09, 0
    gr 0x05, 0x40
    gr 0x06, 0x05
    mov ax, 0xa000
    mov es, ax
round:
    mov eax, [number]
    imul eax, eax, 0x9e3779b1
    mov [seed], eax
    call fill
    gr 0x31, 4          ; reset the engine
    gr 0x31, 0
    ; what kind
    call random
    and ax, 0x0007
    mov bx, ax
    mov al, [kinds+bx]
    mov [mode], al
    call random
    and al, 0x30
    or [mode], al
    movzx cx, al
    shr cx, 4
    inc cx
    mov [pixel], cx
    call random
    mov byte [extension], 0
    test al, 1
    jz .no_solid
    or byte [extension], 4
.no_solid:
    test byte [mode], 0x80
    jz .no_invert
    test al, 2
    jz .no_invert
    or byte [extension], 2
.no_invert:
    test ah, 3
    jnz .no_key
    cmp byte [pixel], 2
    jbe .key
    test byte [mode], 0x80
    jz .no_key
.key:
    cmp byte [mode], 0x11   ; there QEMU takes another destination for the operation
    je .no_key
    or byte [mode], 8
.no_key:
    call random
    and ax, 15
    mov bx, ax
    mov al, [rops+bx]
    mov [rop], al
    call random
    and al, 7
    cmp byte [pixel], 3
    jne .whole
    mov al, 0           ; QEMU counts them in three ways
.whole:
    mov [skip], al
    ; sizes and places
    call random
    and ax, 31
    inc ax
    mul word [pixel]
    mov [bytes], ax
    dec ax
    mov bx, ax
    gr 0x20, bl
    gr 0x21, bh
    call random
    and ax, 7
    mov bx, ax
    gr 0x22, bl
    gr 0x23, 0
    call random
    and ax, 60
    add ax, 128
    mov bx, ax
    gr 0x24, bl
    gr 0x25, 0
    call random
    and ax, 63
    add ax, 128
    mov bx, ax
    gr 0x26, bl
    gr 0x27, 0
    call random
    and ax, 0x7fc       ; QEMU rounds places down to whole pixels
    add ax, 0x800
    test byte [mode], 1
    jz .forward
    add ax, 0x603       ; the last byte
.forward:
    mov bx, ax
    gr 0x28, bl
    gr 0x29, bh
    gr 0x2a, 0
    call random
    and ax, 0x7ff
    add ax, 0x1c00
    test byte [mode], 1
    jz .first
    or ax, 3
.first:
    test byte [mode], 0x40
    jz .no_pattern
    and ax, 0xff00      ; a pattern from its first line
.no_pattern:
    mov bx, ax
    gr 0x2c, bl
    gr 0x2d, bh
    gr 0x2e, 0
    mov al, 0x2f
    mov ah, [skip]
    call set_gr
    ; colours and keys
    mov si, colours
    mov cx, 10
.colour:
    call random
    mov ah, al
    mov al, [si]
    inc si
    call set_gr
    loop .colour
    mov al, 0x30
    mov ah, [mode]
    call set_gr
    mov al, 0x32
    mov ah, [rop]
    call set_gr
    mov al, 0x33
    mov ah, [extension]
    call set_gr
    gr 0x31, 2
    ; the source, if it comes from here
    mov cx, 6000
.feed:
    mov al, 0x31
    mov dx, 0x3ce
    out dx, al
    inc dx
    in al, dx
    test al, 1
    jz .done
    call random
    mov bx, cx
    and bx, 0xfff
    mov [es:bx], al
    loop .feed
.done:
    gr 0x31, 4
    gr 0x31, 0
    mov ax, [number]
    call hex16
    call space
    mov al, [mode]
    call hex
    mov al, [extension]
    call hex
    mov al, [rop]
    call hex
    mov al, [skip]
    call hex
    call space
    call sum
    call newline
    inc dword [number]
    cmp word [number], ROUNDS
    jb round
    jmp finish

; Rotates and adds; EDX.
sum:
    xor edx, edx
    xor bx, bx
.next:
    rol edx, 5
    movzx eax, byte [es:bx]
    add edx, eax
    inc bx
    cmp bx, FRAME
    jb .next
    mov eax, edx
    shr eax, 16
    push dx
    call hex16
    pop ax
    call hex16
    ret
fill:
    xor bx, bx
.next:
    call random
    mov [es:bx], al
    inc bx
    cmp bx, FRAME
    jb .next
    ret
random:
    push edx
    mov eax, [seed]
    imul eax, eax, 1664525
    add eax, 1013904223
    mov [seed], eax
    shr eax, 16
    pop edx
    ret
set_gr:
    push dx
    mov dx, 0x3ce
    out dx, ax
    pop dx
    ret
space:
    mov al, ' '
    out 0xe9, al
    ret

kinds: db 0x00, 0x01, 0x40, 0x80, 0xc0, 0x04, 0x84, 0xc4
; QEMU takes 90h, which is NOT (source OR destination), for DAh, and the other way round.
rops: db 0x00, 0x05, 0x06, 0x09, 0x0b, 0x0d, 0x0e, 0x50, 0x59, 0x6d, 0x0d, 0x95, 0xad, 0xd0, 0xd6, 0x59
colours: db 0x00, 0x01, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x34, 0x35
number: dd 0
seed: dd 0
mode: db 0
extension: db 0
rop: db 0
skip: db 0
pixel: dw 0
bytes: dw 0
    times 8*512-($-$$) db 0
