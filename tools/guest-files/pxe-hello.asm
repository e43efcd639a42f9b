; What a network card's ROM boots: says so on COM1 and ends the machine by isa-debug-exit.
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
  db "hello from the network", 13, 10, 0
