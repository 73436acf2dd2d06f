//! What git says when it fails, in a line that may be told to anybody.

use crate::diagnostic::escaped;

/// Most letters of what git says that are told.
const TOLD: usize = 600;

/// What git says, in a line: without its good advice, and without anybody's password.
pub(super) fn told(said: &str) -> String {
    let lines = said
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        // ssh puts a frame around its warnings.
        .map(|line| line.trim_matches('@').trim())
        .filter(|line| !line.is_empty() && !line.starts_with("From "));
    let line = lines.collect::<Vec<_>>().join("; ");
    let line = escaped(&without_secrets(&line));
    match line.is_empty() {
        true => "it has failed and does not say why".to_owned(),
        false => without_middle(&line),
    }
}

/// The cause stands at one end of what is said or at the other.
fn without_middle(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    if letters.len() <= TOLD {
        return line.to_owned();
    }
    let (begin, rest) = letters.split_at(TOLD / 2);
    let end = rest.iter().rev().take(TOLD / 2).rev();
    begin.iter().chain(&[' ', '…', ' ']).chain(end).collect()
}

/// `https://user:secret@host/` without what stands before the `@`.
fn without_secrets(text: &str) -> String {
    let mut safe = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        safe.push_str(before);
        safe.push_str("://");
        let end = behind.find(['/', ' ', '\'', '"']).unwrap_or(behind.len());
        let (host, more) = behind.split_at_checked(end).unwrap_or((behind, ""));
        safe.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        rest = more;
    }
    safe + rest
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_git_says_is_a_line_without_secrets() {
        let check = |said: &str, expect: &str| assert_eq!(told(said), expect);
        check(
            "From https://host/x\n ! [rejected] main -> main (non-fast-forward)\n",
            "! [rejected] main -> main (non-fast-forward)",
        );
        check(
            "Host key verification failed.\nfatal: Could not read from remote repository.\n\nPlease make sure\n",
            "Host key verification failed.; fatal: Could not read from remote repository.",
        );
        check(
            "fatal: unable to access 'https://me:se@cret@host/x/': no\x1b[31m\n",
            "fatal: unable to access 'https://host/x/': no\\u{1b}[31m",
        );
        check("", "it has failed and does not say why");
        check(
            "@@@@@\r\n@    WARNING: IT HAS CHANGED!     @\r\n@@@@@\r\nNASTY!\n",
            "WARNING: IT HAS CHANGED!; NASTY!",
        );
        let long = format!("begin{}end", "x".repeat(10_000));
        let line = told(&long);
        assert_eq!(line.chars().count(), 603);
        assert!(
            line.starts_with("beginx") && line.ends_with("xend"),
            "{line}"
        );
    }
}
