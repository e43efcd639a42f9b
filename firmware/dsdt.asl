// The machine's ACPI namespace: PCI root with interrupt links, ISA devices, soft off. acpi.cpp patches XPWS and XCOM.
DefinitionBlock ("dsdt.aml", "DSDT", 1, "XLAT  ", "XLATDSDT", 0x00000001)
{
    Name (XPWS, 0xC0D0E0F0)     // first address of the PCI memory window; patched
    Name (XCOM, 0xA5B6C7D8)     // bit n: COM(n + 1) exists; bit 8: floppy drives; patched

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_ADR, Zero)
            Name (_UID, Zero)
            Name (RBUF, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
                IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0x00000000, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0xC0000000, 0xFEBFFFFF, 0x00000000, 0x3EC00000, , , PWIN)
            })
            Method (_CRS, 0, Serialized)
            {
                CreateDWordField (RBUF, ^PWIN._MIN, PMIN)
                CreateDWordField (RBUF, ^PWIN._MAX, PMAX)
                CreateDWordField (RBUF, ^PWIN._LEN, PLEN)
                PMIN = XPWS
                PLEN = PMAX - PMIN + 1
                Return (RBUF)
            }

            // INTx# of slot s reaches PIRQ (s - 1 + x) mod 4. Slot 1's INTA# is the power management function's SCI.
            Method (_PRT, 0, Serialized)
            {
                Local0 = Package (128) {}
                Local1 = Zero
                While (Local1 < 128)
                {
                    Local2 = Local1 >> 2
                    Local3 = (Local1 + Local2 + 3) & 3
                    If (Local3 == 0) { Local4 = Package (4) { 0, 0, LNKA, 0 } }
                    If (Local3 == 1) { Local4 = Package (4) { 0, 0, LNKB, 0 } }
                    If (Local3 == 2) { Local4 = Package (4) { 0, 0, LNKC, 0 } }
                    If (Local3 == 3) { Local4 = Package (4) { 0, 0, LNKD, 0 } }
                    If (Local1 == 4) { Local4 = Package (4) { 0, 0, LNKS, 0 } }
                    Local4 [0] = (Local2 << 16) | 0xFFFF
                    Local4 [1] = Local1 & 3
                    Local0 [Local1] = Local4
                    Local1++
                }
                Return (Local0)
            }

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (PIRQ, PCI_Config, 0x60, 0x04)
                Field (PIRQ, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8,
                    PRQB, 8,
                    PRQC, 8,
                    PRQD, 8
                }

                Device (PIC)
                {
                    Name (_HID, EisaId ("PNP0000"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0020, 0x0020, 0x00, 0x02)
                        IO (Decode16, 0x00A0, 0x00A0, 0x00, 0x02)
                        IO (Decode16, 0x04D0, 0x04D0, 0x00, 0x02)
                        IRQNoFlags () { 2 }
                    })
                }
                Device (DMAC)
                {
                    Name (_HID, EisaId ("PNP0200"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0000, 0x0000, 0x00, 0x10)
                        IO (Decode16, 0x0081, 0x0081, 0x00, 0x0F)
                        IO (Decode16, 0x00C0, 0x00C0, 0x00, 0x20)
                        DMA (Compatibility, NotBusMaster, Transfer8_16) { 4 }
                    })
                }
                Device (TMR)
                {
                    Name (_HID, EisaId ("PNP0100"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0040, 0x0040, 0x00, 0x04)
                        IRQNoFlags () { 0 }
                    })
                }
                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0070, 0x0070, 0x00, 0x02)
                        IRQNoFlags () { 8 }
                    })
                }
                Device (FPU)
                {
                    Name (_HID, EisaId ("PNP0C04"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x00F0, 0x00F0, 0x00, 0x10)
                        IRQNoFlags () { 13 }
                    })
                }
                Device (SPKR)
                {
                    Name (_HID, EisaId ("PNP0800"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0061, 0x0061, 0x00, 0x01)
                    })
                }
                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0060, 0x0060, 0x00, 0x01)
                        IO (Decode16, 0x0064, 0x0064, 0x00, 0x01)
                        IRQNoFlags () { 1 }
                    })
                }
                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IRQNoFlags () { 12 }
                    })
                }
                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 1)
                    Method (_STA, 0) { If (XCOM & 1) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03F8, 0x03F8, 0x00, 0x08)
                        IRQNoFlags () { 4 }
                    })
                }
                Device (COM2)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 2)
                    Method (_STA, 0) { If (XCOM & 2) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x02F8, 0x02F8, 0x00, 0x08)
                        IRQNoFlags () { 3 }
                    })
                }
                Device (COM3)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 3)
                    Method (_STA, 0) { If (XCOM & 4) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03E8, 0x03E8, 0x00, 0x08)
                        IRQNoFlags () { 4 }
                    })
                }
                Device (COM4)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 4)
                    Method (_STA, 0) { If (XCOM & 8) { Return (0x0F) } Return (0) }
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x02E8, 0x02E8, 0x00, 0x08)
                        IRQNoFlags () { 3 }
                    })
                }
            }

            Device (FDC0)
            {
                Name (_HID, EisaId ("PNP0700"))
                Method (_STA, 0) { If (XCOM & 0x100) { Return (0x0F) } Return (0) }
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x03F2, 0x03F2, 0x00, 0x04)
                    IO (Decode16, 0x03F7, 0x03F7, 0x00, 0x01)
                    IRQNoFlags () { 6 }
                    DMA (Compatibility, NotBusMaster, Transfer8) { 2 }
                })
            }

            // Ports that belong to the chipset: power management and SMBus blocks, APM, reset control.
            Device (SYSR)
            {
                Name (_HID, EisaId ("PNP0C02"))
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x0080, 0x0080, 0x00, 0x01)
                    IO (Decode16, 0x0092, 0x0092, 0x00, 0x01)
                    IO (Decode16, 0x00B2, 0x00B2, 0x00, 0x02)
                    IO (Decode16, 0x0600, 0x0600, 0x00, 0x40)
                    IO (Decode16, 0x0700, 0x0700, 0x00, 0x10)
                })
            }
        }

        // A link is a PIRQ input of the ISA bridge: bits 3:0 of its register name the IRQ, bit 7 disconnects it.
        Name (PRSL, ResourceTemplate () { IRQ (Level, ActiveLow, Shared) { 5, 10, 11 } })
        Method (LSTA, 1) { If (Arg0 & 0x80) { Return (0x09) } Return (0x0B) }
        Method (LCRS, 1, Serialized)
        {
            Name (BUFL, ResourceTemplate () { IRQ (Level, ActiveLow, Shared) {} })
            CreateWordField (BUFL, 1, IRQM)
            If (Arg0 & 0x80) { IRQM = 0 } Else { IRQM = 1 << (Arg0 & 0x0F) }
            Return (BUFL)
        }
        Method (LSRS, 1, Serialized)
        {
            CreateWordField (Arg0, 1, IRQM)
            Return (FindSetRightBit (IRQM) - 1)
        }
        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 0)
            Method (_PRS, 0) { Return (PRSL) }
            Method (_STA, 0) { Return (LSTA (\_SB.PCI0.ISA.PRQA)) }
            Method (_DIS, 0) { \_SB.PCI0.ISA.PRQA |= 0x80 }
            Method (_CRS, 0) { Return (LCRS (\_SB.PCI0.ISA.PRQA)) }
            Method (_SRS, 1) { \_SB.PCI0.ISA.PRQA = LSRS (Arg0) }
        }
        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 1)
            Method (_PRS, 0) { Return (PRSL) }
            Method (_STA, 0) { Return (LSTA (\_SB.PCI0.ISA.PRQB)) }
            Method (_DIS, 0) { \_SB.PCI0.ISA.PRQB |= 0x80 }
            Method (_CRS, 0) { Return (LCRS (\_SB.PCI0.ISA.PRQB)) }
            Method (_SRS, 1) { \_SB.PCI0.ISA.PRQB = LSRS (Arg0) }
        }
        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 2)
            Method (_PRS, 0) { Return (PRSL) }
            Method (_STA, 0) { Return (LSTA (\_SB.PCI0.ISA.PRQC)) }
            Method (_DIS, 0) { \_SB.PCI0.ISA.PRQC |= 0x80 }
            Method (_CRS, 0) { Return (LCRS (\_SB.PCI0.ISA.PRQC)) }
            Method (_SRS, 1) { \_SB.PCI0.ISA.PRQC = LSRS (Arg0) }
        }
        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 3)
            Method (_PRS, 0) { Return (PRSL) }
            Method (_STA, 0) { Return (LSTA (\_SB.PCI0.ISA.PRQD)) }
            Method (_DIS, 0) { \_SB.PCI0.ISA.PRQD |= 0x80 }
            Method (_CRS, 0) { Return (LCRS (\_SB.PCI0.ISA.PRQD)) }
            Method (_SRS, 1) { \_SB.PCI0.ISA.PRQD = LSRS (Arg0) }
        }
        Device (LNKS)   // the SCI, wired to IRQ 9
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 4)
            Name (_PRS, ResourceTemplate () { IRQ (Level, ActiveLow, Shared) { 9 } })
            Method (_STA, 0) { Return (0x0B) }
            Method (_DIS, 0) {}
            Method (_CRS, 0) { Return (_PRS) }
            Method (_SRS, 1) {}
        }
    }

    Name (\_S3, Package (4) { 1, 1, 0, 0 })
    Name (\_S4, Package (4) { 2, 2, 0, 0 })
    Name (\_S5, Package (4) { 0, 0, 0, 0 })
}
