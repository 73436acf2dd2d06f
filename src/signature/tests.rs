//! Signatures that ssh-keygen has made over `some text`, and what becomes of them.

use super::{Signers, Times, verify};

const ANN_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJgoCShttgsfnXjIZ2ijGlbErK+FQENlN1MkHpLlhSie";
const BOB_KEY: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCoqvDAcNk3bSZzLA7GNPVC0LomPvVrDlo/U8UnOueaF6FYxZsRZTbRvJcmrnQRquCxOWu36Cz9XQjVF/RApCMg=";
const CLEO_KEY: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBDZB2ON0HB1/aZfQxtW6Q04Pg1Q6WLqLwgDG/2gmskQYwSws6F5psy0+1z+cseXSKDmiwZIQHYBbNvmHhLPH7vQ3pcWMQOm4ciev6mc1JirEPEdYDtuXzqLW4nQz3aSgYA==";
const ANN: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgmCgJKG22Cx+deMhnaKMaVsSsr4\nVAQ2U3UyQekuWFKJ4AAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\nAAAAQIVDDjs4LitPwnPsEIY+WkbBQ03NTZI1jXNFG3byNey+pYaLHUOewVemXWvI9/DJap\nyfpwfHmToyUWA0T3mDGw0=\n-----END SSH SIGNATURE-----";
const BOB: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAE\nEEKiq8MBw2TdtJnMsDsY09ULQuiY+9WsOWj9TxSc655oXoVjFmxFlNtG8lyaudBGq4LE5a\n7foLP1dCNUX9ECkIyAAAAANnaXQAAAAAAAAABnNoYTUxMgAAAGMAAAATZWNkc2Etc2hhMi\n1uaXN0cDI1NgAAAEgAAAAgIsxISDEOJu6PckOyYHZcGyWyWqy6ppwX0u33rb5S2AQAAAAg\nUvu4+LSyJpvqYGk0KTTR11mhnswCTU2HHv8AqQMvPb8=\n-----END SSH SIGNATURE-----";
const CLEO: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAAIgAAAATZWNkc2Etc2hhMi1uaXN0cDM4NAAAAAhuaXN0cDM4NAAAAG\nEENkHY43QcHX9pl9DG1bpDTg+DVDpYuovCAMb/aCayRBjBLCzoXmmzLT7XP5yx5dIoOaLB\nkhAdgFs2+YeEs8fu9DelxYxA6bhyJ6/qZzUmKsQ8R1gO25fOotbidDPdpKBgAAAAA2dpdA\nAAAAAAAAAGc2hhNTEyAAAAhAAAABNlY2RzYS1zaGEyLW5pc3RwMzg0AAAAaQAAADEAuBm9\nq87F7mkcI4HpS6GhRDua3N4T89H73gj30at7L4oxfF+LFup2VcmIWzMw0UnOAAAAMEpqDu\nHgf6pXoiQS8VDzEV6Jegx3UqXQM+AUL+8lIpdfUqiypendpBSzW31WcztTaA==\n-----END SSH SIGNATURE-----";
const FILE: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgmCgJKG22Cx+deMhnaKMaVsSsr4\nVAQ2U3UyQekuWFKJ4AAAAEZmlsZQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUx\nOQAAAEAuTLj2eYbLussEL/AILh7VLXhftq0xZiK0Fs1blIfzOg27ALkIq3lxO93WaO69Ze\nWg6XvVa9zSRO27gXYOeWMJ\n-----END SSH SIGNATURE-----";

const TEXT: &[u8] = b"some text";
const TIMES: Times = Times {
    made: 100,
    now: Some(1000),
};

fn told(text: &[u8], signature: Option<&str>, signers: &str, times: Times) -> String {
    let signers = Signers::read(signers).unwrap();
    match verify(text, signature, &signers, times) {
        Ok(signer) => format!("good: {signer}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn good_ones_of_each_kind_of_key() {
    for (key, signature) in [(ANN_KEY, ANN), (BOB_KEY, BOB), (CLEO_KEY, CLEO)] {
        let list = format!("other@x {}\nme@x,you@x {key}\n", other(key));
        assert_eq!(
            told(TEXT, Some(signature), &list, TIMES),
            "good: me@x,you@x"
        );
        assert_eq!(
            told(b"some texts", Some(signature), &list, TIMES),
            "the signature of me@x,you@x belongs to something else"
        );
    }
}

fn other(key: &str) -> &'static str {
    if key == BOB_KEY { CLEO_KEY } else { BOB_KEY }
}

#[test]
fn every_turned_bit_is_noticed() {
    let list = format!("me@x {ANN_KEY}\n");
    let lines: Vec<&str> = ANN.lines().collect();
    let body = lines[1..lines.len() - 1].concat();
    for at in 0..body.len() - 2 {
        let mut turned = body.clone().into_bytes();
        turned[at] = if turned[at] == b'A' { b'B' } else { b'A' };
        let turned = String::from_utf8(turned).unwrap();
        let lines: Vec<&str> = (0..turned.len())
            .step_by(70)
            .map(|from| &turned[from..turned.len().min(from + 70)])
            .collect();
        let signature = format!(
            "{}\n{}\n{}\n",
            "-----BEGIN SSH SIGNATURE-----",
            lines.join("\n"),
            "-----END SSH SIGNATURE-----"
        );
        let told = told(TEXT, Some(&signature), &list, TIMES);
        assert!(!told.starts_with("good"), "{at}");
    }
    assert_eq!(told(TEXT, Some(ANN), &list, TIMES), "good: me@x");
}

#[test]
fn others_are_refused() {
    let list = format!("me@x {ANN_KEY}\n");
    let check = |signature: Option<&str>, expect: &str| {
        let told = told(TEXT, signature, &list, TIMES);
        assert!(told.starts_with(expect), "{told}");
    };
    check(None, "it is not signed");
    check(Some(BOB), "it is signed by the key SHA256:");
    check(Some(FILE), "its signature is not one of git but of `file`");
    check(
        Some("-----BEGIN PGP SIGNATURE-----\n\n"),
        "it is signed by OpenPGP, which rfw does not verify",
    );
    check(
        Some("-----BEGIN SIGNED MESSAGE-----\n\n"),
        "it is signed by X.509",
    );
    check(Some(""), "its signature cannot be read");
    check(
        Some("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"),
        "its signature cannot be read",
    );
    assert!(told(TEXT, Some(ANN), "", TIMES).starts_with("it is signed by the key"));
}

#[test]
fn keys_have_their_time_and_their_use() {
    let check = |options: &str, times: Times, expect: &str| {
        let list = format!("me@x {options} {ANN_KEY}\n");
        assert_eq!(told(TEXT, Some(ANN), &list, times), expect, "{options}");
    };
    let at = |made: i64, now: Option<i64>| Times { made, now };
    let day = 86_400;
    check("valid-before=\"19700102\"", at(day - 1, None), "good: me@x");
    check(
        "valid-before=\"19700102\"",
        at(day - 1, Some(day - 1)),
        "good: me@x",
    );
    check(
        "valid-before=\"19700102\"",
        at(day, None),
        "the key of me@x was not valid any more when the commit was made (`valid-before`)",
    );
    // Dated back: the commit says that the key was still valid.
    check(
        "valid-before=\"19700102\"",
        at(0, Some(day)),
        "the key of me@x was not valid any more now (`valid-before`)",
    );
    check("valid-after=\"19700102\"", at(day, Some(day)), "good: me@x");
    check(
        "valid-after=\"19700102\"",
        at(day - 1, Some(day)),
        "the key of me@x was not valid yet when the commit was made (`valid-after`)",
    );
    check(
        "valid-after=\"19700102\"",
        at(day, Some(0)),
        "the key of me@x was not valid yet now (`valid-after`)",
    );
    check(
        "namespaces=\"file\"",
        TIMES,
        "the key of me@x may not sign for git (`namespaces`)",
    );
    // A second line for the same key may be the one that holds.
    let list = format!("old@x valid-before=\"19700101\" {ANN_KEY}\nme@x {ANN_KEY}\n");
    assert_eq!(told(TEXT, Some(ANN), &list, TIMES), "good: me@x");
}
