//! The neighbour tables over rtnetlink: how full they are and their thresholds, also where a network namespace does
//! not show them under `/proc/sys` and `/proc/net/stat`. Not nf_tables.
//!
//! Numbers are those of linux/neighbour.h and linux/rtnetlink.h; they are in host order.

use std::collections::BTreeMap;
use std::io;

use nix::libc;

use super::attribute::{Attribute, attributes};
use super::rtnetlink::dump;
use super::socket::Socket;
use crate::health::NeighbourTable;
use crate::system::Family;

const RTM_GETNEIGH: u16 = 30;
const RTM_GETNEIGHTBL: u16 = 66;
const NDTA_THRESH1: u16 = 2;
const NDTA_THRESH2: u16 = 3;
const NDTA_THRESH3: u16 = 4;
const NDTA_CONFIG: u16 = 5;
const NDTA_STATS: u16 = 7;
/// Where `ndtc_entries` stands in `struct ndt_config`.
const ENTRIES: usize = 4;
/// Where `ndts_table_fulls` stands in `struct ndt_stats`.
const TABLE_FULLS: usize = 80;
/// Length of `struct ndtmsg`.
const NDTMSG: usize = 4;
/// Length of `struct ndmsg`.
const NDMSG: usize = 12;
/// The kernel never throws these out, nor do they count.
const NUD_PERMANENT: u16 = 0x80;
const NTF_EXT_LEARNED: u8 = 0x10;

/// The neighbour tables of both families, IPv4 first.
///
/// # Errors
/// When the system has no rtnetlink, or its answer cannot be understood.
pub fn neighbour_tables() -> io::Result<Vec<NeighbourTable>> {
    let mut socket = Socket::open_route()?;
    let mut exempt: BTreeMap<Family, u32> = BTreeMap::new();
    dump(&mut socket, RTM_GETNEIGH, &[0; NDMSG], 1, &mut |body| {
        if let Some(family) = exempt_neighbour(body) {
            *exempt.entry(family).or_default() += 1;
        }
    })?;
    let mut tables = BTreeMap::new();
    dump(&mut socket, RTM_GETNEIGHTBL, &[0; NDTMSG], 2, &mut |body| {
        if let Some(mut table) = table(body) {
            let exempt = exempt.get(&table.family).copied().unwrap_or_default();
            table.entries = table.entries.saturating_sub(exempt);
            tables.insert(table.family, table);
        }
    })?;
    Ok(tables.into_values().collect())
}

fn family(byte: u8) -> Option<Family> {
    match i32::from(byte) {
        libc::AF_INET => Some(Family::V4),
        libc::AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

/// The family of a neighbour that does not count: `struct ndmsg` { family, 3 pads, ifindex, state, flags, type }.
fn exempt_neighbour(body: &[u8]) -> Option<Family> {
    let (&[of, _, _, _, _, _, _, _, low, high, flags, _], _) = body.split_first_chunk::<NDMSG>()?;
    let state = u16::from_ne_bytes([low, high]);
    let is_exempt = state & NUD_PERMANENT != 0 || flags & NTF_EXT_LEARNED != 0;
    is_exempt.then(|| family(of)).flatten()
}

/// A table; messages about the parameters of one interface have no configuration.
fn table(body: &[u8]) -> Option<NeighbourTable> {
    let (&[of, _, _, _], rest) = body.split_first_chunk::<NDTMSG>()?;
    let mut thresholds = [None; 3];
    let mut entries = None;
    let mut table_fulls = 0;
    for attribute in attributes(rest) {
        let Attribute {
            kind,
            offset: _,
            value,
        } = attribute.ok()?;
        let [one, two, three] = &mut thresholds;
        match kind {
            NDTA_THRESH1 => *one = number(value, 0),
            NDTA_THRESH2 => *two = number(value, 0),
            NDTA_THRESH3 => *three = number(value, 0),
            NDTA_CONFIG => entries = number(value, ENTRIES),
            NDTA_STATS => {
                let bytes = value.get(TABLE_FULLS..).and_then(<[u8]>::first_chunk);
                table_fulls = bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes));
            }
            _ => {}
        }
    }
    let [one, two, three] = thresholds;
    Some(NeighbourTable {
        family: family(of)?,
        entries: entries?,
        gc_thresh1: one?,
        gc_thresh2: two?,
        gc_thresh3: three?,
        table_fulls,
    })
}

fn number(value: &[u8], at: usize) -> Option<u32> {
    value
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::{exempt_neighbour, neighbour_tables, table};
    use crate::system::Family;

    #[test]
    fn the_kernel_tells_of_both_tables() {
        let tables = neighbour_tables().unwrap();
        let families: Vec<Family> = tables.iter().map(|table| table.family).collect();
        assert_eq!(families, Family::BOTH);
        for table in tables {
            assert!(table.gc_thresh1 <= table.gc_thresh3 && 0 < table.gc_thresh3);
        }
    }

    #[test]
    fn any_bytes_are_taken() {
        for length in 0..64 {
            let bytes = vec![2; length];
            assert_eq!(table(&bytes), None);
            let _ = exempt_neighbour(&bytes);
        }
    }
}
