//! The canonical form: values as bytes, so that two different values are never the same bytes.
//!
//! Numbers are big endian, whatever has a length has it before it, every choice has a number. Each type is taken apart
//! field by field: one that is forgotten does not compile.

use sha2::{Digest as _, Sha256};

use super::Digest;
use crate::ruleset::{
    Base, ChainPolicy, ChainType, DataType, Datum, Element, Flowtable, Hook, Key, Limit, Object,
    ObjectKind, SetKind, SetSpec, Verdict,
};

/// A SHA-256 on its way.
#[derive(Clone, Default)]
pub(super) struct Feed(Sha256);

impl Feed {
    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.0.update(number.into().to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn flag(&mut self, flag: bool) -> &mut Self {
        self.number(u8::from(flag))
    }

    pub(super) fn option<T>(
        &mut self,
        value: Option<T>,
        feed: impl FnOnce(&mut Self, T),
    ) -> &mut Self {
        self.flag(value.is_some());
        if let Some(value) = value {
            feed(self, value);
        }
        self
    }

    pub(super) fn list<T>(&mut self, list: &[T], mut feed: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.number(list.len() as u64);
        list.iter().for_each(|item| feed(self, item));
        self
    }

    pub(super) fn digest(&mut self, Digest(bytes): &Digest) -> &mut Self {
        self.0.update(bytes);
        self
    }

    pub(super) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

pub(super) fn verdict(feed: &mut Feed, verdict: &Verdict) {
    match verdict {
        Verdict::Accept => feed.number(0_u8),
        Verdict::Drop => feed.number(1_u8),
        Verdict::Continue => feed.number(2_u8),
        Verdict::Return => feed.number(3_u8),
        Verdict::Jump(chain) => feed.number(4_u8).text(chain),
        Verdict::Goto(chain) => feed.number(5_u8).text(chain),
    };
}

pub(super) fn limit(feed: &mut Feed, limit: Limit) {
    let Limit { rate, unit, burst } = limit;
    feed.number(rate).number(unit).number(burst);
}

pub(super) fn base(feed: &mut Feed, base: Base) {
    let Base {
        kind,
        hook,
        priority,
        policy,
    } = base;
    feed.number(match kind {
        ChainType::Filter => 0_u8,
        ChainType::Nat => 1,
        ChainType::Route => 2,
    });
    match hook {
        Hook::Prerouting => feed.number(0_u8),
        Hook::Input => feed.number(1_u8),
        Hook::Forward => feed.number(2_u8),
        Hook::Output => feed.number(3_u8),
        Hook::Postrouting => feed.number(4_u8),
        Hook::Other(number) => feed.number(5_u8).number(number),
    };
    feed.bytes(&priority.to_be_bytes());
    feed.number(match policy {
        ChainPolicy::Accept => 0_u8,
        ChainPolicy::Drop => 1,
    });
}

/// A set without its name, its comment and its elements. The comment meets no packet, and plans leave it as it is.
pub(super) fn set_spec(feed: &mut Feed, spec: &SetSpec) {
    let SetSpec {
        name: _,
        key,
        kind,
        interval,
        dynamic,
        timeout,
        size,
        counter,
        gc_interval,
        comment: _,
    } = spec;
    feed.list(key, |feed, data| data_type(feed, *data));
    match kind {
        SetKind::Set => {
            feed.number(0_u8);
        }
        SetKind::Map(value) => data_type(feed.number(1_u8), *value),
        SetKind::VerdictMap => {
            feed.number(2_u8);
        }
    }
    feed.flag(*interval).flag(*dynamic).flag(*counter);
    feed.option(*timeout, |feed, timeout| {
        feed.number(timeout);
    });
    for number in [size, gc_interval] {
        feed.option(*number, |feed, number| {
            feed.number(number);
        });
    }
}

fn data_type(feed: &mut Feed, data: DataType) {
    feed.number(match data {
        DataType::Ipv4Addr => 0_u8,
        DataType::Ipv6Addr => 1,
        DataType::InetService => 2,
        DataType::InetProto => 3,
        DataType::Ifname => 4,
        DataType::Mark => 5,
        DataType::IcmpType => 6,
        DataType::Icmpv6Type => 7,
        DataType::Time => 8,
        DataType::Number => 9,
        DataType::Day => 10,
        DataType::Hour => 11,
    });
}

/// An element without what it has counted.
pub(super) fn element(feed: &mut Feed, element: &Element) {
    let Element {
        key: Key { lo, hi },
        datum,
        name,
        count: _,
    } = element;
    feed.bytes(lo);
    feed.option(hi.as_deref(), |feed, hi| {
        feed.bytes(hi);
    });
    match datum {
        None => {
            feed.number(0_u8);
        }
        Some(Datum::Value(bytes)) => {
            feed.number(1_u8).bytes(bytes);
        }
        Some(Datum::Verdict(value)) => verdict(feed.number(2_u8), value),
    }
    feed.option(name.as_deref(), |feed, name| {
        feed.text(name);
    });
}

/// An object without its name.
pub(super) fn object(feed: &mut Feed, object: &Object) {
    let Object {
        name: _,
        kind,
        origin: _,
    } = object;
    feed.number(kind.number());
    match kind {
        ObjectKind::Limit(value) => limit(feed, *value),
        ObjectKind::CtHelper { helper, protocol } => {
            feed.text(helper).number(*protocol);
        }
        ObjectKind::Flowtable(Flowtable {
            interfaces,
            hardware,
        }) => {
            feed.list(interfaces, |feed, name| {
                feed.text(name);
            });
            feed.flag(*hardware);
        }
        // Its number is all there is to know of it; rfw makes none.
        ObjectKind::Other(_) => {}
    }
}
