//! Verdicts as the kernel's numbers, in immediates and in verdict maps.

use crate::netlink::attribute::{Writer, attributes};
use crate::netlink::constants::{NF_ACCEPT, NF_DROP, sys};
use crate::ruleset::Verdict;

/// Writes `NFTA_DATA_VERDICT`.
pub(in crate::netlink) fn write_verdict(writer: &mut Writer, verdict: &Verdict) {
    let (code, chain) = match verdict {
        Verdict::Accept => (NF_ACCEPT, None),
        Verdict::Drop => (NF_DROP, None),
        Verdict::Continue => (sys::NFT_CONTINUE, None),
        Verdict::Return => (sys::NFT_RETURN, None),
        Verdict::Jump(chain) => (sys::NFT_JUMP, Some(chain)),
        Verdict::Goto(chain) => (sys::NFT_GOTO, Some(chain)),
    };
    writer.nest(sys::NFTA_DATA_VERDICT, |writer| {
        writer.bytes(sys::NFTA_VERDICT_CODE, &code.to_be_bytes());
        if let Some(chain) = chain {
            writer.string(sys::NFTA_VERDICT_CHAIN, chain);
        }
    });
}

/// Reads the value of `NFTA_DATA_VERDICT`; `None` for a verdict that rfw does not know.
pub(in crate::netlink) fn verdict(value: &[u8]) -> Option<Verdict> {
    let mut code = None;
    let mut chain = None;
    for attribute in attributes(value) {
        let attribute = attribute.ok()?;
        match attribute.kind {
            sys::NFTA_VERDICT_CODE => code = Some(attribute.be32().ok()?.cast_signed()),
            sys::NFTA_VERDICT_CHAIN => chain = Some(attribute.string()),
            _ => return None,
        }
    }
    match (code?, chain) {
        (NF_ACCEPT, None) => Some(Verdict::Accept),
        (NF_DROP, None) => Some(Verdict::Drop),
        (sys::NFT_CONTINUE, None) => Some(Verdict::Continue),
        (sys::NFT_RETURN, None) => Some(Verdict::Return),
        (sys::NFT_JUMP, Some(chain)) => Some(Verdict::Jump(chain)),
        (sys::NFT_GOTO, Some(chain)) => Some(Verdict::Goto(chain)),
        _ => None,
    }
}
