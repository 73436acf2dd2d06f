//! The way of a packet through the hooks.

use std::net::IpAddr;

use super::environment::{AddressType, LOOPBACK, is_on_each_link};
use super::firewall::What;
use super::machine::{Ended, Run, Tracking};
use super::outcome::{Decision, Kernel, Reason, Step};
use super::packet::{State, Upper};
use super::view::{ChainRef, RuleRef};
use crate::ruleset::{ChainType, Hook};

/// `IPS_SRC_NAT_DONE`, `IPS_DST_NAT_DONE` of linux/netfilter/nf_conntrack_common.h.
const SRC_DONE: u32 = 1 << 7;
/// See [`SRC_DONE`].
const DST_DONE: u32 = 1 << 8;

/// The end of the way.
pub(super) type End = (Decision, Reason);

/// What was said for the packet so far.
#[derive(Default)]
struct Accepts {
    /// By a rule of rfw where it is decided who may pass: in filter chains at input, forward, output.
    own: Option<(Reason, Vec<RuleRef>)>,
    /// By another rule there.
    rule: Option<(Reason, Vec<RuleRef>)>,
    /// By a chain policy there.
    policy: Option<Reason>,
    /// Elsewhere.
    other: Option<Reason>,
}

impl Run<'_> {
    /// Sends the packet on its way, to its end.
    pub(super) fn walk(&mut self) -> End {
        let mut accepts = Accepts::default();
        match self.way(&mut accepts) {
            Err(end) => end,
            Ok(()) => {
                self.callers.clear();
                let reason = match accepts.own.or(accepts.rule) {
                    Some((reason, callers)) => {
                        self.callers = callers;
                        reason
                    }
                    None => accepts.policy.or(accepts.other).unwrap_or(Reason::Nothing),
                };
                (Decision::Accept, reason)
            }
        }
    }

    fn way(&mut self, accepts: &mut Accepts) -> Result<(), End> {
        if self.packet.iif.is_none() {
            self.route_own()?;
            self.hook(Hook::Output, accepts)?;
            if self.translations.iter().any(|it| it.destination) {
                self.packet.oif = None;
                self.route_own()?;
            }
            self.hook(Hook::Postrouting, accepts)?;
            if self.packet.oif.as_deref() != Some(LOOPBACK) {
                return Ok(());
            }
            self.packet.iif = Some(LOOPBACK.to_owned());
            self.packet.oif = None;
        } else {
            self.martians_of_v6()?;
        }
        self.hook(Hook::Prerouting, accepts)?;
        if self.is_local()? {
            self.path.push(Step::Local);
            return self.hook(Hook::Input, accepts);
        }
        self.route()?;
        self.forwarded()?;
        self.path.push(Step::Forward);
        self.hook(Hook::Forward, accepts)?;
        self.hook(Hook::Postrouting, accepts)
    }

    fn hook(&mut self, hook: Hook, accepts: &mut Accepts) -> Result<(), End> {
        self.hook = hook;
        self.path.push(Step::Hook(hook));
        let firewall = self.firewall;
        let places = firewall.at(hook);
        let mut next = 0;
        while let Some(place) = places.get(next) {
            next += 1;
            match &place.what {
                What::Conntrack => {
                    if self.tracking == Tracking::NotYet {
                        self.tracking = match self.packet.connection.state {
                            State::Untracked => Tracking::Untracked,
                            _ => Tracking::Tracked,
                        };
                    }
                }
                What::Chain(chain) if !firewall.any_order => {
                    self.base_chain(hook, *chain, accepts)?;
                }
                What::Chain(_) => {
                    let equal = places
                        .iter()
                        .skip(next - 1)
                        .map_while(|other| match other.what {
                            What::Chain(chain) if other.priority == place.priority => Some(chain),
                            What::Chain(_) | What::Conntrack | What::Nat(_) => None,
                        });
                    let equal: Vec<ChainRef> = equal.collect();
                    next += equal.len() - 1;
                    for chain in self.in_any_order(equal) {
                        self.base_chain(hook, chain, accepts)?;
                    }
                }
                What::Nat(chains) => self.nat_chains(hook, chains, accepts)?,
            }
        }
        Ok(())
    }

    /// Runs a base chain that is not one of the type nat, if it concerns the packet.
    fn base_chain(
        &mut self,
        hook: Hook,
        chain: ChainRef,
        accepts: &mut Accepts,
    ) -> Result<(), End> {
        if !self.concerns(chain.table) {
            return Ok(());
        }
        let ended = self.chain(chain);
        self.note(ended, accepts, hook, chain)
    }

    /// Chains of the same priority that concern the packet, table by table; which comes first is tried in every way.
    fn in_any_order(&mut self, mut chains: Vec<ChainRef>) -> Vec<ChainRef> {
        chains.retain(|chain| self.concerns(chain.table));
        let mut ordered = Vec::with_capacity(chains.len());
        while let Some(first) = chains.first() {
            let mut tables: Vec<u16> = vec![first.table];
            for chain in &chains {
                if !tables.contains(&chain.table) {
                    tables.push(chain.table);
                }
            }
            let of = tables.len() as u32;
            let taken = if of > 1 { self.script.take(of) } else { 0 };
            self.orders *= f64::from(of);
            let table = tables.get(taken as usize).copied().unwrap_or(first.table);
            ordered.extend(chains.iter().filter(|chain| chain.table == table));
            chains.retain(|chain| chain.table != table);
        }
        ordered
    }

    /// Whether a table sees packets of this family.
    fn concerns(&self, table: u16) -> bool {
        let family = self.firewall.table(table).map(|table| table.family);
        family.is_some_and(|family| family == 1 || family == self.packet.family())
    }

    fn note(
        &mut self,
        ended: Ended,
        accepts: &mut Accepts,
        hook: Hook,
        chain: ChainRef,
    ) -> Result<(), End> {
        let reason = match ended {
            Ended::Final(decision, reason) => return Err((decision, reason)),
            Ended::Translated(rule) => Reason::Rule(rule),
            Ended::Accept(reason) => reason,
        };
        let is_filter = self
            .firewall
            .chain(chain)
            .and_then(|chain| chain.base)
            .is_some_and(|base| base.kind == ChainType::Filter);
        let decides = is_filter && matches!(hook, Hook::Input | Hook::Forward | Hook::Output);
        match reason {
            Reason::Rule(_) if decides => {
                let said = Some((reason, std::mem::take(&mut self.callers)));
                let table = self.firewall.table(chain.table);
                if table.is_some_and(|table| table.is_own) {
                    accepts.own = said;
                } else {
                    accepts.rule = said;
                }
            }
            _ if decides => accepts.policy = Some(reason),
            _ => accepts.other = Some(reason),
        }
        Ok(())
    }

    /// Only for the first packet of a connection, only once for each of its ends, and only up to the first chain that
    /// translates it (linux/net/netfilter/nf_nat_core.c, `nf_nat_inet_fn`).
    fn nat_chains(
        &mut self,
        hook: Hook,
        chains: &[(i32, ChainRef)],
        accepts: &mut Accepts,
    ) -> Result<(), End> {
        let done = match hook {
            Hook::Prerouting | Hook::Output => DST_DONE,
            _ => SRC_DONE,
        };
        let connection = &self.packet.connection;
        let is_first = match connection.state {
            State::New => !connection.reply,
            State::Related => !matches!(self.packet.upper, Upper::Icmp { .. }),
            State::Established | State::Invalid | State::Untracked => false,
        };
        if self.tracking != Tracking::Tracked || !is_first || connection.status & done != 0 {
            return Ok(());
        }
        let mut rest = chains;
        while let Some((priority, first)) = rest.first() {
            let equal = match self.firewall.any_order {
                true => rest.partition_point(|(other, _)| other <= priority),
                false => 1,
            };
            let (now, later) = rest.split_at(equal);
            rest = later;
            let now = match self.firewall.any_order {
                true => self.in_any_order(now.iter().map(|(_, chain)| *chain).collect()),
                false => vec![*first],
            };
            if self.translates(hook, &now, accepts)? {
                break;
            }
        }
        self.packet.connection.status |= done;
        Ok(())
    }

    /// Runs chains of the type nat up to one that translates.
    fn translates(
        &mut self,
        hook: Hook,
        chains: &[ChainRef],
        accepts: &mut Accepts,
    ) -> Result<bool, End> {
        for chain in chains {
            if !self.concerns(chain.table) {
                continue;
            }
            let ended = self.chain(*chain);
            let translated = matches!(ended, Ended::Translated(_));
            self.note(ended, accepts, hook, *chain)?;
            if translated {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where a packet of the box itself leaves.
    fn route_own(&mut self) -> Result<(), End> {
        if self.packet.oif.is_some() {
            return Ok(());
        }
        let destination = self.packet.destination;
        let own = self.redirected
            || self.environment.owner(destination).is_some()
            || self.environment.is_anycast(destination);
        let oif = if own {
            Some(LOOPBACK)
        } else {
            self.environment.route(destination)
        };
        match oif {
            // linux/net/ipv4/route.c, `__mkroute_output`
            Some(oif)
                if matches!(self.packet.source, IpAddr::V4(v4) if v4.is_loopback())
                    && !self.environment.routes_loopback(oif) =>
            {
                Err(self.kernel(Kernel::MartianSource))
            }
            Some(oif) => {
                self.packet.oif = Some(oif.to_owned());
                Ok(())
            }
            None => Err(self.kernel(Kernel::NoRoute)),
        }
    }

    /// Whether a packet that came in is for the box itself.
    fn is_local(&mut self) -> Result<bool, End> {
        self.martians_of_v4()?;
        if self.redirected {
            return Ok(true);
        }
        let kind = self.environment.address_type(self.packet.destination, None);
        match kind {
            AddressType::Local | AddressType::Broadcast | AddressType::Anycast => Ok(true),
            // Groups are forwarded by multicast routing only, which rfw does not set up.
            AddressType::Multicast => Ok(true),
            AddressType::Unicast | AddressType::Unreachable => Ok(false),
        }
    }

    /// The interface a forwarded packet leaves by.
    fn route(&mut self) -> Result<(), End> {
        let rewritten = self.translations.iter().any(|it| it.destination);
        if self.packet.oif.is_some() && !rewritten {
            return Ok(());
        }
        let destination = self.packet.destination;
        let iif = self.packet.iif.as_deref();
        let oif = match destination {
            // Each link has a route to such of its own, and to those of another none leads (`rt6_need_strict`).
            _ if is_on_each_link(destination) => iif,
            IpAddr::V6(v6) if v6.is_unicast_link_local() => self
                .environment
                .route(destination)
                .filter(|oif| Some(*oif) == iif),
            _ => self.environment.route(destination),
        };
        match oif.map(str::to_owned) {
            Some(oif) => {
                self.packet.oif = Some(oif);
                Ok(())
            }
            None => Err(self.kernel(Kernel::NoRoute)),
        }
    }

    /// linux/net/ipv4/ip_forward.c, linux/net/ipv6/ip6_output.c, `ip6_forward`: before the hook, so that its chains see one
    /// hop less.
    fn forwarded(&mut self) -> Result<(), End> {
        // Whoever is told a better way on his own link may have any source.
        if let IpAddr::V6(source) = self.packet.source
            && self.packet.iif != self.packet.oif
            && (source.is_unspecified() || source.is_unicast_link_local())
        {
            return Err(self.kernel(Kernel::NotForwarded));
        }
        match self.packet.ttl {
            0 | 1 => Err(self.kernel(Kernel::TimeExceeded)),
            ttl => {
                self.packet.ttl = ttl - 1;
                self.refresh_headers();
                Ok(())
            }
        }
    }

    /// linux/net/ipv4/route.c, `ip_route_input_slow`: after the hook before routing.
    fn martians_of_v4(&mut self) -> Result<(), End> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) =
            (self.packet.source, self.packet.destination)
        else {
            return Ok(());
        };
        if self.packet.iif.as_deref() == Some(LOOPBACK) {
            return Ok(());
        }
        // Nobody has the address 0.0.0.0 but who asks for one; others that begin with 0 are like any (since Linux 5.3).
        let asks = destination.is_broadcast() || destination.is_unspecified();
        let zero = source.is_unspecified() && !asks;
        // The box's own address comes from no link (`fib_validate_source`).
        let own = self.environment.owner(self.packet.source).is_some();
        if zero || own || source.is_multicast() || source.is_broadcast() {
            return Err(self.kernel(Kernel::MartianSource));
        }
        let zero = destination.is_unspecified() && !source.is_unspecified();
        let iif = self.packet.iif.as_deref().unwrap_or_default();
        let loopback = destination.is_loopback() && !self.environment.routes_loopback(iif);
        if zero || (loopback && !self.redirected) {
            return Err(self.kernel(Kernel::MartianDestination));
        }
        Ok(())
    }

    /// linux/net/ipv6/ip6_input.c, `ip6_rcv_core`: before all hooks.
    fn martians_of_v6(&mut self) -> Result<(), End> {
        let (IpAddr::V6(source), IpAddr::V6(destination)) =
            (self.packet.source, self.packet.destination)
        else {
            return Ok(());
        };
        let on_link = self.packet.iif.as_deref() != Some(LOOPBACK);
        if source.is_multicast() || (on_link && source.is_loopback()) {
            return Err(self.kernel(Kernel::MartianSource));
        }
        if destination.is_unspecified() || (on_link && destination.is_loopback()) {
            return Err(self.kernel(Kernel::MartianDestination));
        }
        Ok(())
    }

    fn kernel(&mut self, kernel: Kernel) -> End {
        self.path.push(Step::Kernel(kernel));
        (Decision::Drop, Reason::Kernel(kernel))
    }
}
