//! CRC16 (XMODEM) of a key, eight bytes at a time.
//!
//! Every command hashes a key before it can be routed, and a checksum taken byte by byte is a chain of table reads of
//! which each waits for the one before: for a key of 16 bytes that was a tenth of a pipelined GET. Eight tables break
//! the chain: the contributions of eight bytes are independent of each other and are read at once ("slicing by 8",
//! Kounavis and Berry, 2005). Short keys have no chain worth breaking and go to the crate `crc16`, which is also what
//! the tests compare with.

use crc16::{State, XMODEM};

/// The polynomial of XMODEM, highest bit first.
const POLYNOMIAL: u16 = 0x1021;

/// How many bytes are taken at a time.
const SLICE: usize = 8;

/// `TABLES[n][byte]`: what a byte contributes when `n` more follow it in its slice.
static TABLES: [[u16; 256]; SLICE] = tables();

const fn tables() -> [[u16; 256]; SLICE] {
    let mut tables = [[0u16; 256]; SLICE];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut n = 1;
    while n < SLICE {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[n - 1][byte];
            tables[n][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// The checksum of these bytes.
#[inline]
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    if bytes.len() < SLICE {
        return State::<XMODEM>::calculate(bytes);
    }
    let (slices, rest) = bytes.as_chunks::<SLICE>();
    let mut crc = 0u16;
    for slice in slices {
        let [high, low] = crc.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = *slice;
        crc = TABLES[7][usize::from(a ^ high)]
            ^ TABLES[6][usize::from(b ^ low)]
            ^ TABLES[5][usize::from(c)]
            ^ TABLES[4][usize::from(d)]
            ^ TABLES[3][usize::from(e)]
            ^ TABLES[2][usize::from(f)]
            ^ TABLES[1][usize::from(g)]
            ^ TABLES[0][usize::from(h)];
    }
    for &byte in rest {
        let [high, low] = crc.to_be_bytes();
        crc = u16::from_be_bytes([low, 0]) ^ TABLES[0][usize::from(byte ^ high)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_checksum_of_the_crate(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(crc16(&bytes), State::<XMODEM>::calculate(&bytes));
        }
    }
}
