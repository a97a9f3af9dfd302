//! CRC-32C (Castagnoli), without the last inversion, as Linux's file systems have it.

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0x82f6_3b78 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

/// The sum of `bytes`, continued from `sum`; the first one is `!0`.
pub fn crc32c(sum: u32, bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(sum, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 0xff) as usize] ^ (sum >> 8))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(!super::crc32c(!0, b"123456789"), 0xe306_9283);
    }
}
