//! LZO1X, as Linux documents its stream (Documentation/staging/lzo.rst). The crate that reads it,
//! lzokay-native 0.1, panics on damaged input and bounds no output.

/// Unpacks into `out`; how much there was.
pub(super) fn unpack(packed: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let mut reader = Reader { packed, at: 0 };
    let mut writer = Writer { out, len: 0 };
    // Literals that the last instruction copied; 4 stands for four and more.
    let mut state = 0;
    // 17 would be the version mark of LZO-RLE, which no squashfs has; up to 16 are instructions
    if let first @ 18.. = reader.peek()? {
        reader.at += 1;
        let literals = usize::from(first) - 17;
        writer.literals(&mut reader, literals)?;
        state = literals.min(4);
    }
    loop {
        let instruction = usize::from(reader.byte()?);
        let (distance, length, literals) = match instruction {
            0..=15 if state == 0 => {
                let length = reader.length(instruction, 15)? + 3;
                writer.literals(&mut reader, length)?;
                state = 4;
                continue;
            }
            0..=15 => {
                let high = usize::from(reader.byte()?) << 2;
                let distance = high + (instruction >> 2);
                let (more, length) = if state == 4 { (2049, 3) } else { (1, 2) };
                (distance + more, length, instruction & 3)
            }
            16..=31 => {
                let length = reader.length(instruction & 7, 7)? + 2;
                let word = reader.le16()?;
                let distance = 16_384 + ((instruction & 8) << 11) + (word >> 2);
                if distance == 16_384 {
                    return if length == 3 { Ok(writer.len) } else { Err(broken()) };
                }
                (distance, length, word & 3)
            }
            32..=63 => {
                let length = reader.length(instruction & 31, 31)? + 2;
                let word = reader.le16()?;
                ((word >> 2) + 1, length, word & 3)
            }
            _ => {
                let high = usize::from(reader.byte()?) << 3;
                let distance = high + ((instruction >> 2) & 7) + 1;
                (distance, (instruction >> 5) + 1, instruction & 3)
            }
        };
        writer.copy(distance, length)?;
        writer.literals(&mut reader, literals)?;
        state = literals;
    }
}

fn broken() -> String {
    "lzo: damaged".into()
}

struct Reader<'a> {
    packed: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<u8, String> {
        self.packed.get(self.at).copied().ok_or_else(broken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn le16(&mut self) -> Result<usize, String> {
        Ok(usize::from(self.byte()?) | usize::from(self.byte()?) << 8)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let bytes = self.at.checked_add(len).and_then(|end| self.packed.get(self.at..end));
        self.at += len;
        bytes.ok_or_else(broken)
    }

    /// The length in an instruction; 0 says that it follows, 255 for each zero byte.
    fn length(&mut self, given: usize, most: usize) -> Result<usize, String> {
        if given > 0 {
            return Ok(given);
        }
        let mut length = most;
        loop {
            match self.byte()? {
                0 => length += 255,
                last => return Ok(length + usize::from(last)),
            }
        }
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn literals(&mut self, reader: &mut Reader<'_>, len: usize) -> Result<(), String> {
        let bytes = reader.take(len)?;
        let end = self.len + len;
        self.out.get_mut(self.len..end).ok_or_else(broken)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// What was written `distance` bytes ago; the copy may overlap itself.
    fn copy(&mut self, distance: usize, length: usize) -> Result<(), String> {
        let start = self.len.checked_sub(distance).ok_or_else(broken)?;
        if length > self.out.len() - self.len {
            return Err(broken());
        }
        if distance >= length {
            self.out.copy_within(start..start + length, self.len);
        } else {
            for i in 0..length {
                self.out[self.len + i] = self.out[start + i];
            }
        }
        self.len += length;
        Ok(())
    }
}
