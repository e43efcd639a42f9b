; Boot sector: prints CMOS, A20's ports, what INT 13h says of drive 80h, and IDENTIFY, as hex on port E9h.
    org 0x7c00
    cli
    xor ax,ax
    mov ds,ax
    mov es,ax
    mov ss,ax
    mov sp,0x7c00
    mov [drv],dl
    xor cx,cx
.c: mov al,cl
    out 0x70,al
    in al,0x71
    call hex
    inc cl
    cmp cl,0x80
    jb .c
    call newline
    in al,0x92
    call hex
    mov al,0xd0
    out 0x64,al
.w: in al,0x64
    test al,1
    jz .w
    in al,0x60
    call hex
    mov ax,0xffff
    mov gs,ax
    mov al,[gs:0x10]
    call hex
    call newline
    mov dl,0x80
disk:
    mov ah,8
    xor di,di
    push dx
    push es
    int 0x13
    pushf
    mov [r],ax
    mov [r+2],cx
    mov [r+4],dx
    mov [r+6],bx
    popf
    setc [r+8]
    pop es
    pop dx
    mov si,r
    mov cx,9
    call dump
    mov ah,0x15
    push dx
    mov cx,0xaaaa
    int 0x13
    mov [r],ax
    mov [r+2],cx
    mov [r+4],dx
    setc [r+6]
    pop dx
    mov si,r
    mov cx,7
    call dump
    mov word [0x600],0x1e
    mov ah,0x48
    mov si,0x600
    push dx
    int 0x13
    mov [r],ax
    setc [r+2]
    pop dx
    mov si,r
    mov cx,3
    call dump
    mov si,0x600
    mov cx,30
    call dump
    call newline
; IDENTIFY
    mov dx,0x1f6
    mov al,0xa0
    out dx,al
    inc dx
    mov al,0xec
    out dx,al
.b: in al,dx
    test al,0x80
    jnz .b
    test al,8
    jz end
    mov dx,0x1f0
    mov cx,256
    mov di,0x1000
    rep insw
    mov si,0x1000
    mov cx,14
    call dump
    mov si,0x1000+54*2
    mov cx,10
    call dump
    mov si,0x1000+60*2
    mov cx,4
    call dump
end:
    call newline
    jmp finish
dump: lodsb
    call hex
    loop dump
    mov al,' '
    out 0xe9,al
    ret
drv: db 0
r: times 16 db 0
%include "print.inc"
times 510-($-$$) db 0
dw 0xaa55
