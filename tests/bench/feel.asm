; The guest of tests/bench/feel: a boot floppy that reads its clocks (PLAY 0: halted, 1: polling, 2: within long REP
; STOS and MOVS), or that changes the screen at every key (PLAY 3), or that stands at a prompt (PLAY 4). MODE is the
; video mode. Once a second, by the RTC's interrupt or edge, it prints "M", and then TSC, ACPI PM timer, PIT ticks of
; its counter 0, and retraces, in hexadecimal on port E9h.
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, MODE
    int 0x10
%if PLAY = 3
    sti
keys:
    xor ah, ah
    int 0x16
    mov ax, 0xb800
    mov es, ax
    xor byte [es:0], 0x20 ^ 0xdb
    jmp keys
%elif PLAY = 4
    sti
    mov ax, 0x0e00 + 'A'
    int 0x10
    mov al, ':'
    int 0x10
prompt:
    hlt
    jmp prompt
%else
    call flat
    mov word [0x20], tick       ; IRQ0
    mov word [0x22], 0
    mov word [0x1c0], second    ; IRQ8
    mov word [0x1c2], 0
    mov al, 0x34                ; counter 0: mode 2, 65536
    out 0x43, al
    xor al, al
    out 0x40, al
    out 0x40, al
    in al, 0xa1
    and al, 0xfe
    out 0xa1, al
    in al, 0x21
    and al, 0xfa
    out 0x21, al
    mov al, 0x8b                ; register B: interrupt at the end of each update
    out 0x70, al
    in al, 0x71
    or al, 0x10
    mov ah, al
    mov al, 0x8b
    out 0x70, al
    mov al, ah
    out 0x71, al
    mov al, 0x0c
    out 0x70, al
    in al, 0x71
    sti
%if PLAY = 0
again:
    hlt
    jmp again
%elif PLAY = 1
    mov dx, 0x3da
again:
    in al, dx
    test al, 8
    jz again
    inc dword [retraces]
.back:
    in al, dx
    test al, 8
    jnz .back
    jmp again
%else
again:
    mov edi, 0x200000
    mov ecx, 0x200000
    cld
    a32 rep stosd
    mov esi, 0x200000
    mov edi, 0x1000000
    mov ecx, 0x800000
    a32 rep movsb
    jmp again
%endif

tick:
    push ax
    inc dword [cs:ticks]
    mov al, 0x20
    out 0x20, al
    pop ax
    iret
second:
    pushad
    mov al, 'M'
    out 0xe9, al
    rdtsc
    push eax
    mov eax, edx
    call hex32
    pop eax
    call hex32
    mov dx, 0x608
    in eax, dx
    call hex32
    xor al, al                  ; latch counter 0
    out 0x43, al
    in al, 0x40
    mov bl, al
    in al, 0x40
    mov bh, al
    mov al, 0x0a                ; a tick that has not been counted yet
    out 0x20, al
    in al, 0x20
    mov ecx, [cs:ticks]
    test al, 1
    jz .counted
    cmp bx, 0x8000
    jb .counted
    inc ecx
.counted:
    neg bx
    shl ecx, 16
    mov cx, bx
    mov eax, ecx
    call hex32
    mov eax, [cs:retraces]
    call hex32
    mov al, 10
    out 0xe9, al
    mov al, 0x0c
    out 0x70, al
    in al, 0x71
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    popad
    iret
hex32:
    mov cx, 8
.next:
    rol eax, 4
    push ax
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe .put
    add al, 7
.put:
    out 0xe9, al
    pop ax
    loop .next
    ret

; Segments of 4 GiB.
flat:
    lgdt [gdt]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov ds, bx
    mov es, bx
    and al, 0xfe
    mov cr0, eax
    xor bx, bx
    mov ds, bx
    mov es, bx
    in al, 0x92
    or al, 2
    out 0x92, al
    ret
gdt:
    dw 15
    dd gdt
    dw 0
    dw 0xffff, 0, 0x9200, 0x00cf
ticks: dd 0
retraces: dd 0
%endif
times 510-($-$$) db 0
dw 0xaa55
