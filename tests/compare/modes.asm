; Boot sector and more behind it: goes through the modes of the VGA BIOS and of well-known programs, fills the memory with
; a pattern, says the mode's name on port E9h, and waits for a key.
cpu 386
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov es, ax
    mov sp, 0x7c00
    sti
    mov ax, 0x020c      ; twelve sectors behind this one
    mov cx, 2
    xor dh, dh
    mov bx, 0x7e00
    int 0x13
    jmp 0x0000:main
%include "print.inc"
    times 510-($-$$) db 0
    dw 0xaa55

%macro crtc 2           ; register, value
    mov dx, 0x3d4
    mov ax, %1 | %2 << 8
    out dx, ax
%endmacro
%macro seq 2
    mov dx, 0x3c4
    mov ax, %1 | %2 << 8
    out dx, ax
%endmacro
%macro gfx 2
    mov dx, 0x3ce
    mov ax, %1 | %2 << 8
    out dx, ax
%endmacro
%macro attribute 2      ; one of 3DAh and 3BAh makes the next write an index
    mov dx, 0x3da
    in al, dx
    mov dx, 0x3ba
    in al, dx
    mov dx, 0x3c0
    mov al, %1
    out dx, al
    mov al, %2
    out dx, al
    mov al, 0x20
    out dx, al
%endmacro

main:
    mov si, table
next:
    lodsw
    test ax, ax
    jz finish
    mov di, ax          ; how it is set up
    lodsw
    mov [parameter], ax
    push si
    call di
    pop si
.name:
    lodsb
    test al, al
    jz .named
    out 0xe9, al
    jmp .name
.named:
    call newline
    xor ah, ah
    int 0x16
    jmp next

; A text mode of the BIOS: every character, every colour.
text:
    mov ax, [parameter]
    int 0x10
    call bright
    mov ax, 0xb800
    jmp fill_text
; Mode 7; SeaBIOS does not find the attribute controller's index with the CRTC at 3B4h.
mono:
    mov ax, 7
    int 0x10
    attribute 0x30, 0x06
    mov ah, 1
    mov cx, 0x2000
    int 0x10
    mov ax, 0xb000
fill_text:
    mov es, ax
    xor di, di
    xor bx, bx
.cell:
    mov al, bl
    mov ah, bl
    add ah, bh
    stosw
    inc bx
    cmp bx, 0x2000
    jb .cell
    ret
bright:                 ; no blinking, no cursor
    mov ax, 0x1003
    xor bx, bx
    int 0x10
    mov ah, 1
    mov cx, 0x2000
    int 0x10
    ret
text43:
    mov ax, 0x1201
    mov bl, 0x30
    int 0x10
    jmp rows
text50:
    mov ax, 0x1202
    mov bl, 0x30
    int 0x10
rows:
    mov ax, 3
    int 0x10
    mov ax, 0x1112
    xor bl, bl
    int 0x10
    call bright
    mov ax, 0xb800
    call fill_text
    mov ax, 0x1202
    mov bl, 0x30
    int 0x10
    ret
; 160x100 in sixteen colours: half blocks of two scan lines, as CGA programs did.
tweaked:
    mov ax, 3
    int 0x10
    call bright
    crtc 0x09, 3
    mov ax, 0xb800
    mov es, ax
    xor di, di
.cell:
    mov al, 0xde
    mov ax, di
    shr ax, 1
    mov ah, al
    mov al, 0xde
    stosw
    cmp di, 16000
    jb .cell
    ret

cga:
    mov ax, [parameter]
    int 0x10
    mov ax, 0xb800
    jmp fill_linear
linear:
    mov ax, [parameter]
    int 0x10
    mov ax, 0xa000
fill_linear:
    mov es, ax
    xor di, di
.byte:
    mov ax, di
    xor al, ah
    stosb
    cmp di, 0xffff
    jne .byte
    ret
planar:
    mov ax, [parameter]
    int 0x10
fill_planes:
    mov ax, 0xa000
    mov es, ax
    mov cl, 1
.plane:
    mov dx, 0x3c4
    mov al, 2
    mov ah, cl
    out dx, ax
    xor di, di
.byte:
    mov ax, di
    mul cl
    add al, ah
    ror al, cl
    stosb
    cmp di, 0xffff
    jne .byte
    add cl, cl
    cmp cl, 16
    jb .plane
    ret

; Mode 13h without chain-4, as Abrash made it: 320x200, 320x240, 320x400, 360x480.
unchain:
    mov ax, 0x13
    int 0x10
    seq 4, 6
    crtc 0x14, 0
    crtc 0x17, 0xe3
    ret
x200:
    call unchain
    jmp fill_planes
x240:
    call unchain
    call unlock
    seq 0, 1
    mov dx, 0x3c2
    mov al, 0xe3
    out dx, al
    seq 0, 3
    mov si, x240_registers
    call set_crtc
    jmp fill_planes
x400:
    call unchain
    crtc 0x09, 0x40
    jmp fill_planes
x360:
    call unchain
    call unlock
    seq 0, 1
    mov dx, 0x3c2
    mov al, 0xe7
    out dx, al
    seq 0, 3
    mov si, x360_registers
    call set_crtc
    jmp fill_planes
unlock:
    mov dx, 0x3d4
    mov al, 0x11
    out dx, al
    inc dx
    in al, dx
    and al, 0x7f
    out dx, al
    ret
set_crtc:
    mov dx, 0x3d4
.next:
    lodsw
    cmp ax, 0xffff
    je .done
    out dx, ax
    jmp .next
.done:
    ret

; Panned by five pixels and split at line 200, with the lower part still.
split:
    mov ax, 0x0d
    int 0x10
    call fill_planes
    call unlock
    crtc 0x0d, 0x40
    crtc 0x0c, 0x10
    crtc 0x18, 200
    crtc 0x07, 0x1f
    crtc 0x09, 0x80
    attribute 0x13, 5
    attribute 0x30, 0x21
    ret
split_text:
    mov ax, 3
    int 0x10
    call bright
    mov ax, 0xb800
    call fill_text
    call unlock
    crtc 0x0d, 0x90
    crtc 0x0c, 0x01
    crtc 0x08, 0x05
    crtc 0x18, 200
    crtc 0x07, 0x1f
    crtc 0x09, 0x0f
    ret
; Colours by AR14: the second of sixteen palettes.
palettes:
    mov ax, 0x12
    int 0x10
    call fill_planes
    attribute 0x30, 0x81
    attribute 0x34, 0x02
    ret
; Planes 0 and 2 alone.
plane_mask:
    mov ax, 0x10
    int 0x10
    call fill_planes
    attribute 0x32, 5
    ret
; 720x348 by the registers a Hercules program would set, on the CRTC at 3B4h.
hercules:
    mov dx, 0x3ba
    in al, dx
    mov ax, 7
    int 0x10
    mov dx, 0x3b4
    mov ax, 0x0011
    out dx, ax
    mov si, hercules_registers
    call set_crtc.next
    gfx 6, 0x09         ; graphics, B0000h for 32 KiB
    gfx 5, 0
    seq 1, 1
    seq 4, 6
    seq 2, 1
    attribute 0x30, 3
    attribute 0x32, 1
    mov ax, 0xb000
    mov es, ax
    xor di, di
.byte:
    mov ax, di
    xor al, ah
    stosb
    cmp di, 0x7fff
    jne .byte
    ret
; A VBE mode by its number, in banks.
vbe:
    mov ax, 0x4f02
    mov bx, [parameter]
    int 0x10
    xor bp, bp
.bank:
    mov ax, 0x4f05
    xor bx, bx
    mov dx, bp
    int 0x10
    mov ax, 0xa000
    mov es, ax
    xor di, di
.byte:
    mov ax, di
    xor al, ah
    mov bx, bp
    add al, bl
    stosb
    cmp di, 0xffff
    jne .byte
    stosb
    inc bp
    cmp bp, 32
    jb .bank
    ret

parameter: dw 0
x240_registers: dw 0x0d06, 0x3e07, 0x4109, 0xea10, 0xac11, 0xdf12, 0x0014, 0xe715, 0x0616, 0xe317, 0xffff
x360_registers: dw 0x6b00, 0x5901, 0x5a02, 0x8e03, 0x5e04, 0x8a05, 0x0d06, 0x3e07, 0x4009, 0xea10, 0xac11, 0xdf12, 0x2d13
    dw 0x0014, 0xe715, 0x0616, 0xe317, 0xffff
hercules_registers: dw 0x5901, 0x2d13, 0x5b12, 0x1f07, 0x0309, 0xff18, 0xe017, 0xffff
%macro mode 3
    dw %1, %2
    db %3, 0
%endmacro
table:
    mode text, 0x00, "mode 0"
    mode text, 0x01, "mode 1"
    mode text, 0x02, "mode 2"
    mode text, 0x03, "mode 3"
    mode text43, 3, "43 rows"
    mode text50, 3, "50 rows"
    mode tweaked, 3, "160x100"
    mode split_text, 3, "split text"
    mode cga, 0x04, "mode 4"
    mode cga, 0x05, "mode 5"
    mode cga, 0x06, "mode 6"
    mode planar, 0x0d, "mode D"
    mode planar, 0x0e, "mode E"
    mode planar, 0x0f, "mode F"
    mode planar, 0x10, "mode 10"
    mode planar, 0x11, "mode 11"
    mode planar, 0x12, "mode 12"
    mode linear, 0x13, "mode 13"
    mode x200, 0, "320x200 unchained"
    mode x240, 0, "320x240 unchained"
    mode x400, 0, "320x400 unchained"
    mode x360, 0, "360x480 unchained"
    mode split, 0, "split"
    mode palettes, 0, "palettes"
    mode plane_mask, 0, "plane mask"
    mode vbe, 0x102, "VBE 800x600x4"
    mode vbe, 0x101, "VBE 640x480x8"
    mode vbe, 0x110, "VBE 640x480x15"
    mode vbe, 0x111, "VBE 640x480x16"
    mode vbe, 0x112, "VBE 640x480x24"
    mode vbe, 0x115, "VBE 800x600x24"
    mode vbe, 0x142, "VBE 640x480x32"
    mode text, 0x03, "mode 3 again"
    mode mono, 0x07, "mode 7"
    mode hercules, 7, "hercules"
    dw 0
    times 13*512-($-$$) db 0
