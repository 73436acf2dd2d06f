//! Packets that rules log to a group, as ulogd gets them: how a group is asked for, and what comes.
//!
//! Not here: who listens to which group. Message and attribute numbers are those of linux/netfilter/nfnetlink_log.h.

use super::attribute::{Writer, attributes, be32};

/// `NFNL_SUBSYS_ULOG << 8`, `NFULNL_MSG_PACKET`.
pub(super) const PACKET: u16 = 4 << 8;
/// `NFULNL_MSG_CONFIG`
pub(super) const CONFIG: u16 = (4 << 8) | 1;
const NFULA_CFG_CMD: u16 = 1;
const NFULA_CFG_MODE: u16 = 2;
const NFULA_CFG_NLBUFSIZ: u16 = 3;
const NFULA_CFG_QTHRESH: u16 = 5;
const NFULA_IFINDEX_OUTDEV: u16 = 5;
const NFULA_PAYLOAD: u16 = 9;
const NFULA_PREFIX: u16 = 10;
/// Bytes of a packet that are told, and of the room for a message about it: so that many fit the socket.
const COPIED: u32 = 160;
const ROOM: u32 = 512;

/// A packet that was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    /// What the rule says with it.
    pub(super) prefix: String,
    /// The index of the interface that it leaves by, if it leaves.
    pub(super) oif: Option<u32>,
    /// The packet, from its IP header on; long ones are cut.
    pub(super) packet: Vec<u8>,
}

/// What binds a group and asks for the beginnings of packets, each at once: the attributes of one request each.
pub(super) fn bound() -> Vec<Vec<u8>> {
    /// `NFULNL_CFG_CMD_BIND`, `NFULNL_COPY_PACKET`
    const BIND: u8 = 1;
    const COPY_PACKET: u8 = 2;
    let [a, b, c, d] = COPIED.to_be_bytes();
    let parts: [(u16, &[u8]); 4] = [
        (NFULA_CFG_CMD, &[BIND]),
        (NFULA_CFG_MODE, &[a, b, c, d, COPY_PACKET, 0]),
        (NFULA_CFG_NLBUFSIZ, &ROOM.to_be_bytes()),
        (NFULA_CFG_QTHRESH, &1u32.to_be_bytes()),
    ];
    let requests = parts.map(|(kind, value)| {
        let mut writer = Writer::new();
        writer.bytes(kind, value);
        writer.finish().unwrap_or_default()
    });
    requests.into()
}

/// The packet of a message.
pub(super) fn logged(body: &[u8]) -> Option<Logged> {
    // `struct nfgenmsg` comes first.
    let (mut prefix, mut oif, mut packet) = (None, None, Vec::new());
    for attribute in attributes(body.get(4..)?) {
        let attribute = attribute.ok()?;
        match attribute.kind {
            NFULA_IFINDEX_OUTDEV => oif = be32(attribute.value).ok(),
            NFULA_PAYLOAD => packet = attribute.value.to_vec(),
            NFULA_PREFIX => prefix = Some(attribute.string()),
            _ => {}
        }
    }
    Some(Logged {
        prefix: prefix?,
        oif,
        packet,
    })
}
