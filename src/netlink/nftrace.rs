//! Which rules packets meet, as the kernel tells it of those that a rule has marked with `meta nftrace set 1`.
//!
//! Not here: what a rule is; only its handle is told. Numbers are those of linux/netfilter/nf_tables.h.

use std::io;

use super::attribute::attributes;
use super::constants::sys;
use super::message::{self, messages};
use super::socket::Socket;

/// A rule that a packet fits, or the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// Which packet: a number that the kernel may use again for a later one.
    pub trace: u32,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// The rule; `None` at the end of a chain.
    pub rule: Option<u64>,
    /// The packet's headers from the IP header on, at most 60 bytes; only at the first step in a base chain.
    pub headers: Vec<u8>,
}

/// Hears of every packet that is traced in a network namespace.
#[derive(Debug)]
pub struct Traces(Socket);

impl Traces {
    /// Of the network namespace of this thread, from now on.
    ///
    /// # Errors
    /// When the system has no nf_tables that traces, or no file descriptor left.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::open()?;
        socket.membership(sys::NFNLGRP_NFTRACE).join()?;
        Ok(Self(socket))
    }

    /// What was told since it was last asked, in order; nothing is waited for.
    ///
    /// # Errors
    /// `ENOBUFS` when so much was told that some of it is lost; otherwise the kernel's.
    pub fn steps(&mut self) -> io::Result<Vec<TraceStep>> {
        let mut steps = Vec::new();
        while let Some(datagram) = self.0.receive_waiting()? {
            for message in messages(datagram) {
                let message = message?;
                if message.kind == message::nftables(sys::NFT_MSG_TRACE) {
                    steps.extend(step(message.body));
                }
            }
        }
        Ok(steps)
    }
}

fn step(body: &[u8]) -> Option<TraceStep> {
    let mut step = TraceStep {
        trace: 0,
        table: String::new(),
        chain: String::new(),
        rule: None,
        headers: Vec::new(),
    };
    // `struct nfgenmsg` comes first.
    for attribute in attributes(body.get(4..)?) {
        let attribute = attribute.ok()?;
        match attribute.kind {
            sys::NFTA_TRACE_TABLE => step.table = attribute.string(),
            sys::NFTA_TRACE_CHAIN => step.chain = attribute.string(),
            sys::NFTA_TRACE_RULE_HANDLE => step.rule = attribute.be64().ok(),
            sys::NFTA_TRACE_ID => step.trace = attribute.be32().ok()?,
            // In the order of these two.
            sys::NFTA_TRACE_NETWORK_HEADER | sys::NFTA_TRACE_TRANSPORT_HEADER => {
                step.headers.extend_from_slice(attribute.value);
            }
            _ => {}
        }
    }
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn any_bytes_are_taken() {
        for length in 0..64 {
            _ = step(&vec![9; length]);
        }
        assert_eq!(step(&[]), None);
    }
}
