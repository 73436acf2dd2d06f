//! The kernel's Jenkins hash, by which a source finds its backend again.

/// `JHASH_INITVAL` of linux/jhash.h.
const INITIAL: u32 = 0xdead_beef;

/// `jhash()` of linux/jhash.h: bytes in the order of the host, as the kernel reads them.
pub(super) fn jhash(data: &[u8], seed: u32) -> u32 {
    let start = INITIAL
        .wrapping_add(u32::try_from(data.len()).unwrap_or(u32::MAX))
        .wrapping_add(seed);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut rest = data;
    while rest.len() > 12 {
        let (piece, behind) = rest.split_at(12);
        a = a.wrapping_add(word(piece, 0));
        b = b.wrapping_add(word(piece, 4));
        c = c.wrapping_add(word(piece, 8));
        (a, b, c) = mix(a, b, c);
        rest = behind;
    }
    if rest.is_empty() {
        return c;
    }
    // What is left is 1 to 12 bytes; the missing ones count as 0. The kernel reads them one by one, lowest first.
    a = a.wrapping_add(tail(rest, 0));
    b = b.wrapping_add(tail(rest, 4));
    c = c.wrapping_add(tail(rest, 8));
    last(a, b, c)
}

/// `reciprocal_scale()` of linux/kernel.h: a hash as a number below `modulus`.
pub(super) fn scale(hash: u32, modulus: u32) -> u32 {
    ((u64::from(hash) * u64::from(modulus)) >> 32) as u32
}

/// The number below `modulus` that `jhash` with this seed draws for these bytes.
pub fn drawn(data: &[u8], seed: u32, modulus: u32) -> u32 {
    scale(jhash(data, seed), modulus)
}

fn word(data: &[u8], at: usize) -> u32 {
    let bytes = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_ne_bytes)
}

fn tail(data: &[u8], at: usize) -> u32 {
    let bytes = data.iter().skip(at).take(4).enumerate();
    bytes.fold(0, |sum, (place, byte)| {
        sum | u32::from(*byte) << (8 * place)
    })
}

/// `__jhash_mix`
fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    a = a.wrapping_sub(c) ^ c.rotate_left(4);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(6);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(8);
    b = b.wrapping_add(a);
    a = a.wrapping_sub(c) ^ c.rotate_left(16);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(19);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(4);
    b = b.wrapping_add(a);
    (a, b, c)
}

/// `__jhash_final`
fn last(mut a: u32, mut b: u32, mut c: u32) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}
