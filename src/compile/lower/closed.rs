//! The rules of a box whose policy is not known: nothing gets in but answers, and ssh, so that somebody can put it right.
//!
//! What the box itself begins goes out: it may have to ask for its address, or for its disk. Nothing is forwarded.

use super::output::Output;
use super::row::equal;
use super::skeleton::{
    base_chain, built_in, established, interface_index, invalid, neighbour_discovery,
};
use crate::ruleset::{Expression, Field, Hook, Meta, Ruleset, Statement, Transport, Verdict};

/// Makes them; always the same.
pub fn closed() -> Ruleset {
    let mut output = Output::default();
    let port = |name: &str, transport, port: u16| {
        let statements = vec![
            equal(
                Expression::Field(Field::Dport(transport)),
                port.to_be_bytes(),
            ),
            Statement::Counter,
            Statement::Verdict(Verdict::Accept),
        ];
        built_in(name, statements)
    };
    let mut rules = vec![established(), interface_index(Meta::Iif)];
    rules.extend(neighbour_discovery(&mut output));
    rules.extend([
        invalid(),
        port("closed/ssh", Transport::Tcp, 22),
        // RFC 2131, 4.1 and RFC 8415, 7.2: answers to a client, which connection tracking does not know as such.
        port("closed/dhcp", Transport::Udp, 68),
        port("closed/dhcpv6", Transport::Udp, 546),
    ]);
    base_chain("input", Hook::Input, rules, &mut output);
    let rules = vec![established(), invalid()];
    base_chain("forward", Hook::Forward, rules, &mut output);
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::closed;
    use crate::ruleset::validate;

    #[test]
    fn it_is_a_valid_ruleset() {
        assert_eq!(validate(closed()).map(|_| ()), Ok(()));
    }
}
