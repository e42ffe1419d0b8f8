//! From an element to its register and to what it asks of it: MurmurHash64A with Redis' seed.
//!
//! The low bits of the hash choose the register; in the others the zeros before the lowest one are counted, that one
//! included. Every implementation that is to merge with ours must hash alike.
//!
//! Source: Austin Appleby, MurmurHash2, 64-bit version A.

use super::sketch::REGISTERS;

const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// How many bits of a hash choose the register.
const REGISTER_BITS: u32 = REGISTERS.ilog2();

/// An element's register, and the least value that it is to have.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let register = hash as usize % REGISTERS;
    // The one beyond the highest bit ends the count of a hash that has only zeros.
    let rest = hash >> REGISTER_BITS | 1 << (u64::BITS - REGISTER_BITS);
    (register, rest.trailing_zeros() as u8 + 1)
}

fn murmur(data: &[u8]) -> u64 {
    let mut hash = SEED ^ (data.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = data.as_chunks::<8>();
    for &word in words {
        let mut word = u64::from_le_bytes(word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
        hash = (hash ^ tail).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}
