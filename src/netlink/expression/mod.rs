//! Instructions as the kernel's expressions: one to one, in both directions.
//!
//! Encoding sends what nft sends. Decoding fills in what the kernel leaves out and takes away what it
//! adds, so that what was sent and what is dumped are the same value; whatever it does not know in
//! full becomes [`Instruction::Opaque`](crate::bytecode::Instruction::Opaque) with all its bytes.

mod decode;
mod encode;
mod fields;
mod load;
mod translation;
mod verdict;

pub(super) use decode::{expressions, named_limit, one as expression};
pub(super) use encode::{
    data as write_data, list as write_list, one as write_expression, write_limit,
};
pub(super) use verdict::{verdict, write_verdict};
