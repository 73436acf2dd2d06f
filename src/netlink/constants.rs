//! The numbers of nfnetlink and nf_tables: what the kernel headers give, and what came after them.
//!
//! `rustables::sys` is generated from the headers of the build host (Debian 12: Linux 6.1) and is the
//! source of everything that those know. Not here: numbers that only one expression needs.

pub(super) use rustables::sys;

/// Family of rfw's table (linux/netfilter.h `NFPROTO_INET`).
pub(super) const NFPROTO_INET: u8 = 1;
/// Family of requests that are about no family.
pub(super) const NFPROTO_UNSPEC: u8 = 0;

/// `NFTA_SET_COUNT`, seen on Linux 6.18, not in the headers of 6.1: how many elements a set has.
pub(super) const NFTA_SET_COUNT: u16 = 20;
/// `NFT_MSG_DESTROYSETELEM`, since Linux 6.3: delete elements; a missing one is no error.
pub(super) const NFT_MSG_DESTROYSETELEM: u32 = 30;

/// The hook that a flowtable stands at (linux/netfilter.h `NF_NETDEV_INGRESS`).
pub(super) const NF_NETDEV_INGRESS: u32 = 0;

/// Verdict codes (linux/netfilter.h `NF_DROP`, `NF_ACCEPT`); the negative ones are `sys::NFT_JUMP` ….
pub(super) const NF_DROP: i32 = 0;
/// See [`NF_DROP`].
pub(super) const NF_ACCEPT: i32 = 1;

/// `NF_NAT_RANGE_MAP_IPS`: the kernel adds it when an address is given (linux/netfilter/nf_nat.h).
pub(super) const NF_NAT_RANGE_MAP_IPS: u32 = 1;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`: the kernel adds it when a port is given.
pub(super) const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 2;

/// Tags in user data of nft and libnftnl (libnftnl/udata.h): one byte tag, one byte length, value.
pub(super) mod udata {
    /// Comment of a table, chain or rule, with its NUL.
    pub(in crate::netlink) const COMMENT: u8 = 0;
    /// rfw's mark in the user data of its table. nft ignores tags it does not know.
    pub(in crate::netlink) const TABLE_MARK: u8 = 0xf0;
    /// Byte order of a set's key: 0 unsaid, 1 host, 2 big endian; a `u32` in host order.
    pub(in crate::netlink) const SET_KEY_BYTEORDER: u8 = 0;
    /// Byte order of a map's values, likewise.
    pub(in crate::netlink) const SET_DATA_BYTEORDER: u8 = 1;
    /// What `typeof` names for the key.
    pub(in crate::netlink) const SET_KEY_TYPEOF: u8 = 3;
    /// What `typeof` names for the values.
    pub(in crate::netlink) const SET_DATA_TYPEOF: u8 = 4;
    /// Whether a map's values are intervals; a `u32` in host order.
    pub(in crate::netlink) const SET_DATA_INTERVAL: u8 = 6;
    /// Comment of a set, with its NUL.
    pub(in crate::netlink) const SET_COMMENT: u8 = 7;
    /// Comment of an element, with its NUL.
    pub(in crate::netlink) const ELEMENT_COMMENT: u8 = 0;
    /// Flags of an element: a `u32` in host order; 1 means that an interval has no end.
    pub(in crate::netlink) const ELEMENT_FLAGS: u8 = 1;
}
