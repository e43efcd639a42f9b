; A boot floppy as a game would use the cards: a note on the OPL at 388h, then a tone by 16-bit auto-init DMA on a Sound
; Blaster at 220h, IRQ 5, DMA channel 5, with an interrupt for each half of the buffer. Writes how many interrupts came
; to isa-debug-exit.
bits 16
org 0x7c00

BUFFER equ 0x2000           ; segment: 20000h, 2000 words of 40 periods
WORDS equ 2000
PERIOD equ 50               ; 441 Hz at 22050 Hz
SECOND equ 18               ; ticks of the BIOS

start:
  cli
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  sti

; ---- A note on the OPL ----
  mov si, note
.next:
  lodsw                     ; register, value
  cmp al, 0xff
  je .sounds
  call opl
  jmp .next
.sounds:
  mov cx, 3 * SECOND
  call wait_ticks
  mov ax, 0x12b0            ; the key is let go
  call opl
  mov cx, SECOND
  call wait_ticks

; ---- The tone ----
  mov ax, BUFFER
  mov es, ax
  xor di, di
  mov dx, WORDS / PERIOD
.period:
  mov si, sine
  mov cx, PERIOD
  rep movsw
  dec dx
  jnz .period

  mov word [0x0d * 4], interrupt
  mov word [0x0d * 4 + 2], 0
  in al, 0x21
  and al, ~0x20
  out 0x21, al

  mov dx, 0x226             ; reset: 1, wait, 0, then AAh comes
  mov al, 1
  out dx, al
  mov cx, 100
  loop $
  xor al, al
  out dx, al
.reset:
  mov dx, 0x22e
  in al, dx
  test al, 0x80
  jz .reset
  mov dx, 0x22a
  in al, dx
  cmp al, 0xaa
  jne failed

  mov al, 5                 ; channel 5: masked, auto-init reads, from word 10000h of page 2
  out 0xd4, al
  out 0xd8, al
  mov al, 0x59
  out 0xd6, al
  xor al, al
  out 0xc4, al
  out 0xc4, al
  mov al, (WORDS - 1) & 0xff
  out 0xc6, al
  mov al, (WORDS - 1) >> 8
  out 0xc6, al
  mov al, BUFFER >> 12
  out 0x8b, al
  mov al, 1
  out 0xd4, al

  mov si, play
  mov cx, play_end - play
.command:
  lodsb
  call dsp
  loop .command
  mov cx, 3 * SECOND
  call wait_ticks
  mov al, 0xd5              ; pause
  call dsp

  mov al, [interrupts]
  mov dx, 0xf4
  out dx, al
failed:
  mov al, 1
  mov dx, 0xf4
  out dx, al
  jmp $

opl:                        ; register AL, value AH
  mov dx, 0x388
  out dx, al
  mov cx, 6
  call settle
  inc dx
  mov al, ah
  out dx, al
  dec dx
  mov cx, 35
settle:
  in al, dx
  loop settle
  ret

dsp:
  push ax
  mov dx, 0x22c
.busy:
  in al, dx
  test al, 0x80
  jnz .busy
  pop ax
  out dx, al
  ret

wait_ticks:                 ; CX of them
  mov bx, [0x46c]
.same:
  hlt
  cmp bx, [0x46c]
  je .same
  loop wait_ticks
  ret

interrupt:
  push ax
  push dx
  inc byte [cs:interrupts]
  mov dx, 0x22f             ; 16-bit transfers are acknowledged here
  in al, dx
  mov al, 0x20
  out 0x20, al
  pop dx
  pop ax
  iret

interrupts db 0
; 440 Hz: F-number 244h in block 4; a sine, the modulator all but off.
note db 0x20, 0x21, 0x23, 0x21, 0x40, 0x3f, 0x43, 0, 0x60, 0xf0, 0x63, 0xf0, 0x80, 0x0f, 0x83, 0x0f
     db 0xc0, 0x30, 0xa0, 0x44, 0xb0, 0x32, 0xff, 0
; 22050 Hz; signed mono words, blocks of half the buffer.
play db 0x41, 22050 >> 8, 22050 & 0xff, 0xb6, 0x10, (WORDS / 2 - 1) & 0xff, (WORDS / 2 - 1) >> 8
play_end:

; One period, 8000 high, by the recurrence of the sine.
sine:
%assign this 0
%assign next 65710710
%rep PERIOD
  dw (this // 65536) & 0xffff
%assign after (next * 33289845) // 16777216 - this
%assign this next
%assign next after
%endrep

times 510 - ($ - $$) db 0
dw 0xaa55

