; A boot sector for the tests of displays: sends each key's character to COM1 and the screen. 'G' fills the screen of mode
; 13h with stripes, 'T' goes back to text. No cursor, which would blink.
bits 16
org 0x7c00
  xor ax, ax
  mov ds, ax
  mov ah, 1
  mov cx, 0x2000
  int 0x10
next:
  xor ah, ah
  int 0x16
  cmp al, 'G'
  je graphics
  cmp al, 'T'
  je text
  mov dx, 0x3f8
  out dx, al
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp next
graphics:
  mov ax, 0x13
  int 0x10
  push 0xa000
  pop es
  xor di, di
  mov cx, 64000
fill:
  mov ax, di
  stosb
  loop fill
  jmp next
text:
  mov ax, 3
  int 0x10
  mov ah, 1
  mov cx, 0x2000
  int 0x10
  jmp next
  times 510 - ($ - $$) db 0
  dw 0xaa55
