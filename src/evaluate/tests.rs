//! Text against text: what the machine does with instructions that the policies of rfw do not use, and with tables of
//! others.

use super::hash::{jhash, scale};

#[test]
fn the_hash_is_the_kernels() {
    // `jhash(key, length, 0)` of no bytes is its start.
    assert_eq!(jhash(&[], 0), 0xdead_beef);
    assert_eq!(scale(u32::MAX, 3), 2);
    assert_eq!(scale(0, 3), 0);
}
