; The option ROM that starts -kernel. The firmware runs it as a boot device of its own when the machine is set up. It tells
; the machine the memory map, is told what lies where, has fw_cfg move it there and enters the kernel.
; BIOS Boot Specification 1.01, 3.3 and appendix A; fw_cfg's DMA interface; firmware/boot_plan.h has the other side.
bits 16
org 0

%include "boot_rom.inc"          ; BOOT_MAP_KEY, BOOT_LIST_KEY
DMA_READ    equ 2
DMA_SELECT  equ 8
DMA_WRITE   equ 16

; What the ROM works with lies in one 4 KiB piece right below the EBDA: DS, ES and SS point there.
BUFFER      equ 0                ; the map, then the list
BUFFER_SIZE equ 2560
DMA         equ 0xb00            ; control, length, address: big-endian
GDTR        equ 0xb20
STACK       equ 0x1000
; The list: a header and rows of 12 bytes (address, length, DMA control).
LIST_COUNT  equ 0
LIST_MODE   equ 4                ; 0 real, 1 protected, anything else: nothing to start
LIST_EIP    equ 8
LIST_EAX    equ 12
LIST_EBX    equ 16
LIST_ESP    equ 20
LIST_DS     equ 24
LIST_CS     equ 26
LIST_FROM   equ 28               ; what is copied at the very end, over all this
LIST_TO     equ 32
LIST_BYTES  equ 36
LIST_ROWS   equ 40

start:
  db 0x55, 0xaa
  db (end - start) / 512
  retf                           ; entry point for initialization: nothing to do
  times 0x1a - ($ - start) db 0
  dw pnp

pnp:
  db '$PnP', 1, 2                ; revision, length in 16 bytes
  dw 0                           ; no further header
  db 0, 0                        ; reserved, checksum: made with the ROM's
  dd 0                           ; device identifier
  dw vendor, product
  db 0, 0, 0                     ; device type
  db 0                           ; device indicators
  dw 0, 0                        ; boot connection, disconnect
  dw boot                        ; bootstrap entry
  dw 0, 0

vendor:  db 'xlat', 0
product: db 'kernel of -kernel', 0

boot:
  cld
  mov ax, 0x40
  mov ds, ax
  mov ax, [0x0e]                 ; the EBDA's segment
  sub ax, 0x100
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, STACK

  ; The memory map: INT 15h, AX=E820h. What is not filled stays zero.
  xor eax, eax
  mov di, BUFFER
  mov cx, BUFFER_SIZE / 4
  rep stosd
  mov di, BUFFER
  xor ebx, ebx
.entry:
  mov eax, 0xe820
  mov edx, 'PAMS'
  mov ecx, 20
  int 0x15
  jc .told
  cmp eax, 'PAMS'
  jne .told
  add di, 20
  cmp di, BUFFER + BUFFER_SIZE
  jae .told
  test ebx, ebx
  jnz .entry
.told:
  mov eax, BOOT_MAP_KEY << 16 | DMA_SELECT | DMA_WRITE
  call move_buffer
  mov eax, BOOT_LIST_KEY << 16 | DMA_SELECT | DMA_READ
  call move_buffer

  mov cx, [LIST_COUNT]
  mov si, LIST_ROWS
  cmp word [LIST_MODE], 1
  ja .nothing
  cli                            ; the kernel may lie where the vectors are
.row:
  jcxz .loaded
  push cx
  mov edi, [si]
  mov ecx, [si + 4]
  mov eax, [si + 8]
  call move
  pop cx
  add si, 12
  dec cx
  jmp .row
.nothing:
  int 0x18                       ; the next boot device

.loaded:
  cmp word [LIST_MODE], 0
  jne protected
  mov ax, [LIST_DS]
  mov bx, [LIST_CS]
  mov cx, [LIST_EIP]
  mov sp, [LIST_ESP]
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  push bx
  push cx
  retf

protected:
  xor ebp, ebp
  mov bp, ss
  shl ebp, 4                     ; linear address of the list
  xor eax, eax
  mov ax, cs
  shl eax, 4
  lea ebx, [eax + gdt]
  mov word [GDTR], gdt_end - gdt - 1
  mov [GDTR + 2], ebx
  lea ebx, [eax + flat]
  o32 lgdt [GDTR]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  push dword 8
  push ebx
  o32 retf

bits 32
flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov eax, [ebp + LIST_EAX]
  mov ebx, [ebp + LIST_EBX]
  mov esp, [ebp + LIST_ESP]
  push dword [ebp + LIST_EIP]
  push dword 2                   ; no flag
  mov esi, [ebp + LIST_FROM]
  mov edi, [ebp + LIST_TO]
  mov ecx, [ebp + LIST_BYTES]
  rep movsb                      ; leaves ecx zero
  xor edx, edx
  xor esi, esi
  xor edi, edi
  xor ebp, ebp
  popfd
  ret

bits 16
; DMA between fw_cfg and memory. eax: control; move: ecx bytes at physical address edi; move_buffer: the buffer.
move_buffer:
  mov ecx, BUFFER_SIZE
  xor edi, edi
  mov di, ss
  shl edi, 4
move:
  bswap eax
  bswap ecx
  bswap edi
  mov [DMA], eax
  mov [DMA + 4], ecx
  mov dword [DMA + 8], 0
  mov [DMA + 12], edi
  xor eax, eax
  mov dx, 0x514
  out dx, eax
  mov ax, ss
  shl eax, 4
  add eax, DMA
  bswap eax
  mov dx, 0x518
  out dx, eax
.busy:
  test dword [DMA], ~0x01000000  ; done when no bit is left but that of an error
  jnz .busy
  ret

align 8
gdt:
  dq 0
  dq 0x00cf9b000000ffff          ; code, flat
  dq 0x00cf93000000ffff          ; data, flat
gdt_end:

times 1023 - ($ - start) db 0
  db 0                           ; checksum
end:
