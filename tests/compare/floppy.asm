; Boot sector: INT 13h reads, writes and verifies several sectors of the floppy over the end of tracks; hex on port E9h.
org 0x7c00
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov si, list
next:
    lodsw                  ; function and count; 0 ends
    test ax, ax
    jz done
    mov di, ax
    lodsw
    mov cx, ax
    lodsw
    mov dx, ax
    mov ax, di
    mov bx, 0x8000
    int 0x13
    pushf
    call hex16
    popf
    sbb ax, ax
    call hex16
    ; the sum of what is in memory
    mov bx, 0x8000
    mov cx, 0x3000
    xor ax, ax
.sum:
    add ax, [bx]
    adc ax, 0
    add bx, 2
    loop .sum
    call hex16
    call newline
    ; something else for the next write
    mov bx, 0x8000
    mov cx, 0x3000
.change:
    add word [bx], 0x1234
    add bx, 2
    loop .change
    jmp next
done:
    jmp finish
list:
    dw 0x0212, 0x0002, 0   ; 18 sectors from C0 H0 S2
    dw 0x0302, 0x0012, 0   ; write C0 H0 S18 and H1 S1
    dw 0x0202, 0x0012, 0
    dw 0x0312, 0x0105, 0   ; write over the end of C1 H0
    dw 0x0224, 0x0101, 0   ; all of cylinder 1
    dw 0x0412, 0x0005, 0   ; verify
    dw 0x0402, 0x0012, 0x100
    dw 0x0202, 0x0012, 0x100 ; over the end of the cylinder
    dw 0x0224, 0x0002, 0   ; 36 from the second on
    dw 0x0303, 0x0311, 0x100
    dw 0x0203, 0x0311, 0x100
    dw 0x0201, 0x0013, 0   ; sector 19
    dw 0x0201, 0x0001, 0x200 ; head 2
    dw 0x0201, 0x5201, 0   ; cylinder 82
    dw 0x0800, 0, 0
    dw 0x1500, 0, 0
    dw 0x1600, 0, 0
    dw 0
%include "print.inc"
times 510-($-$$) db 0
dw 0xaa55
