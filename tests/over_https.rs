//! The branch is fetched by https, from a server whose certificate is looked at.

use nix::sys::signal::Signal;

use super::push::{applied, has, policy};
use super::support::daemon::Daemon;
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::tls::{self, Tls};
use super::support::{Host, alone, link, nft};

#[test]
fn a_commit_comes_by_https_from_whom_an_authority_speaks_for() {
    alone(|| {
        let (host, forge, desk) = (Host::new("box"), Host::new("forge"), Desk::new());
        link((&host, "eth0"), (&forge, "eth0"));
        host.ip("addr add 10.9.0.1/24 dev eth0");
        forge.ip("addr add 10.9.0.2/24 dev eth0");
        let upstream = Git::new(&desk, "upstream");
        let first = upstream.commit(&[("gateway.yaml", &policy(1001))]);
        let server = Tls::serve(&desk, &forge, "10.9.0.2", &upstream);
        let path = desk.file("policy.git");
        let path = path.to_str().unwrap();
        desk.must(&host, &["repo", "init", path]);
        let address = format!("https://10.9.0.2:{}/upstream/.git", tls::PORT);
        upstream
            .at(path)
            .run(&["remote", "add", "origin", &address]);
        let agent = desk.write(
            "agent.yaml",
            &format!("version: 1\nrepository: {{ path: {path} }}\npull: {{ remote: origin, interval: 1s, user: nobody }}\n"),
        );
        let authority = server.authority.to_str().unwrap();
        let start = |environment: &[(&str, &str)]| {
            Daemon::start_with(&desk, &host, &["--agent", &agent], environment)
        };
        // Nobody speaks for the server: nothing comes, and that is said.
        let daemon = start(&[]);
        let report = daemon.until("refused", |report| report["pull"]["trouble"].is_object());
        let text = report["pull"]["trouble"]["text"].as_str().unwrap();
        assert!(text.contains("certificate"), "{text}");
        assert!(text.contains("verif"), "{text}");
        assert!(nft::ruleset(&host).is_empty());
        let _ = daemon.stop();
        // With the authority in the environment of the daemon.
        let daemon = start(&[("GIT_SSL_CAINFO", authority)]);
        daemon.until("the first commit", applied(&first));
        assert!(has(&host, 1001));
        let second = upstream.commit(&[("gateway.yaml", &policy(1002))]);
        tls::publish(&upstream);
        daemon.signal(Signal::SIGHUP);
        daemon.until("the second commit", applied(&second));
        assert!(has(&host, 1002));
        let _ = daemon.stop();
    });
}
