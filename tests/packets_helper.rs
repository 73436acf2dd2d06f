//! Conntrack helpers: on the connections whose service declares one, and on no others.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::support::gate::Gate;
use super::support::{Host, alone, serve, tcp};

/// A server that says hello (the helper reads whole lines only after a first one) and answers everything with a passive port, as FTP does (RFC 959 section 4.1.2, RFC 2428).
fn ftp(host: &Host, answer: &'static str) {
    let listener = host.run(|| TcpListener::bind("[::]:21").expect("a free port"));
    host.spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let _ = stream.write_all(b"220 hello\r\n");
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            if reader.read_line(&mut line).is_ok() {
                let _ = stream.write_all(answer.as_bytes());
                let _ = reader.read(&mut [0; 64]);
            }
        }
    });
}

/// What comes of a connection to `data` while `from` talks to the server about it, and what the gateway expects then.
fn passive(gate: &Gate, client: &Host, from: &str, control: &str, data: &str) -> (String, usize) {
    let (from, control) = (
        from.parse().unwrap(),
        control.parse::<SocketAddr>().unwrap(),
    );
    let mut stream = client.run(|| {
        let socket = super::support::socket::connected(
            super::support::socket::Kind::Tcp,
            Some(SocketAddr::new(from, 0)),
            control,
            tcp::WAIT,
        );
        std::net::TcpStream::from(socket.expect("the control connection"))
    });
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let mut answer = [0; 128];
    let length = stream.read(&mut answer).expect("a greeting");
    assert_eq!(&answer[..length], b"220 hello\r\n");
    let ask: &[u8] = if control.is_ipv4() {
        b"PASV\r\n"
    } else {
        b"EPSV\r\n"
    };
    stream.write_all(ask).unwrap();
    let length = stream.read(&mut answer).expect("an answer");
    assert!(answer[..length].starts_with(b"22"), "{answer:?}");
    let expected = gate.gateway.run(|| {
        let table = fs::read_to_string("/proc/thread-self/net/nf_conntrack_expect");
        table.expect("the table of expectations").lines().count()
    });
    let from = from.to_string();
    let answer = tcp::probe_from(client, &from, data).to_string();
    (answer, expected)
}

#[test]
fn a_helper_opens_only_with_its_service() {
    alone(|| {
        // One rule declares it, the next accepts the very same port without.
        let gate = Gate::new(
            "services:
  plain: { tcp: [21] }
policies:
  - name: out
    from: lan
    to: wan
    default: drop
    rules:
      - { name: ftp, services: [ftp], source: [192.168.2.50, \"fd12:3456:789a::50\"], action: accept }
      - { name: plain, services: [plain], action: accept }
",
        );
        // 195 * 256 + 80
        serve::tcp(&gate.internet, 50_000);
        ftp(
            &gate.internet,
            "227 Entering Passive Mode (203,0,113,7,195,80).\r\n",
        );
        let (control, data) = ("203.0.113.7:21", "203.0.113.7:50000");
        assert_eq!(tcp::probe(&gate.ordinary, data).to_string(), "filtered");
        let with = passive(&gate, &gate.ordinary, "192.168.2.50", control, data);
        assert_eq!(with, ("open: internet 192.168.2.50".to_owned(), 1));
        let without = passive(&gate, &gate.server, "192.168.1.20", control, data);
        assert_eq!(without, ("filtered".to_owned(), 0));
    });
}

#[test]
fn a_helper_follows_ipv6_as_well() {
    alone(|| {
        let gate = Gate::new(
            "policies:
  - name: out
    from: lan
    to: wan
    default: drop
    rules:
      - { name: ftp, services: [ftp], source: [\"fd12:3456:789a::50\"], action: accept }
      - { name: plain, services: [{ tcp: [21] }], action: accept }
",
        );
        serve::tcp(&gate.internet, 50_000);
        ftp(
            &gate.internet,
            "229 Entering Extended Passive Mode (|||50000|)\r\n",
        );
        let (control, data) = ("[2001:db8:0:1::7]:21", "[2001:db8:0:1::7]:50000");
        let with = passive(&gate, &gate.ordinary, "fd12:3456:789a::50", control, data);
        assert_eq!(with, ("open: internet fd12:3456:789a::50".to_owned(), 1));
        let without = passive(&gate, &gate.server, "fd12:3456:789a::20", control, data);
        assert_eq!(without, ("filtered".to_owned(), 0));
    });
}
