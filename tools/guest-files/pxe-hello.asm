; What a network card's ROM boots, or with DISK the firmware from a disk: says so on COM1 and ends the machine by
; isa-debug-exit.
  org 0x7c00
  bits 16
start:
  xor ax, ax
  mov ds, ax
  mov si, text
next:
  lodsb
  test al, al
  jz end
  mov dx, 0x3f8
  out dx, al
  jmp next
end:
  mov dx, 0x501
  mov al, 0
  out dx, al
  hlt
text:
%ifdef DISK
  db "hello from the disk", 13, 10, 0
  times 510 - ($ - $$) db 0
  dw 0xaa55
%else
  db "hello from the network", 13, 10, 0
%endif
