# A boot sector: segments that are not zero, a call, a string instruction, protected mode and back.
        .code16
        .globl  _start
_start: cli
        xor     %ax, %ax
        mov     %ax, %ss
        mov     $0x7c00, %sp
        ljmp    $0x7c0, $far_code - _start
far_code:
        mov     %cs, %ax
        mov     %ax, %ds
        mov     $0x2000, %ax
        mov     %ax, %ss
        mov     $0x100, %sp
        mov     $0xbeef, %ax
        push    %ax
        call    routine
        xor     %ax, %ax
        mov     %ax, %ds
        lgdtl   gdt_register
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $8, $protected
routine:
        inc     %bx
        ret
        .code32
        .globl  protected, real
protected:
        mov     $0x10, %ax
        mov     %ax, %ds
        mov     $0x12345678, %ecx
        ljmp    $0x18, $back
        .code16
back:   mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0, $real
real:   mov     $0x4321, %cx
spin:   jmp     spin
        .balign 8
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff
gdt_register:
        .word   31
        .long   gdt
        .org    510
        .word   0xaa55
