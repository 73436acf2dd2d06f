//! Whether somebody who may has signed something: SSH signatures (PROTOCOL.sshsig of OpenSSH) against a list of keys. A
//! function of its arguments, the clock among them; no program is run and no configuration read.

mod signers;

use signers::{Entry, NAMESPACE};
pub use signers::{Signers, SignersError};
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig};

/// Why something is not taken for signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature.
    #[error("it is not signed")]
    Unsigned,
    /// A signature of another system.
    #[error(
        "it is signed by {0}, which rfw does not verify; sign by SSH (git config gpg.format ssh)"
    )]
    Foreign(&'static str),
    /// No signature that can be read.
    #[error("its signature cannot be read: {0}")]
    Malformed(String),
    /// A signature for something else, such as a file.
    #[error("its signature is not one of git but of `{0}`")]
    Namespace(String),
    /// The key is not in the list.
    #[error("it is signed by the key {0}, which is none of the allowed signers'")]
    Unknown(String),
    /// The key is in the list, but not for this.
    #[error("the key of {0} may not sign for git (`namespaces`)")]
    NotForGit(String),
    /// The key was not or is not valid.
    #[error("the key of {signer} was not valid yet {when} (`valid-after`)")]
    Early {
        /// Whose.
        signer: String,
        /// `when the commit was made`, `now`.
        when: &'static str,
    },
    /// The key was not or is not valid any more.
    #[error("the key of {signer} was not valid any more {when} (`valid-before`)")]
    Expired {
        /// Whose.
        signer: String,
        /// `when the commit was made`, `now`.
        when: &'static str,
    },
    /// Signed was something else.
    #[error("the signature of {0} belongs to something else")]
    Wrong(String),
}

/// When a key has to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When the commit says that it was made (Unix seconds). Git looks at this alone, so somebody with a key that has expired
    /// need only date a commit back.
    pub made: i64,
    /// Now; `None` for what was accepted before, which does not become wrong when its key expires.
    pub now: Option<i64>,
}

/// Who has signed these bytes: the principals of the key, as the list writes them.
///
/// # Errors
/// Why nobody who may has.
pub fn verify(
    signed: &[u8],
    signature: Option<&str>,
    signers: &Signers,
    times: Times,
) -> Result<String, SignatureError> {
    let armoured = signature.ok_or(SignatureError::Unsigned)?.trim_end();
    match armoured.lines().next().unwrap_or_default() {
        "-----BEGIN SSH SIGNATURE-----" => {}
        "-----BEGIN PGP SIGNATURE-----" | "-----BEGIN PGP MESSAGE-----" => {
            return Err(SignatureError::Foreign("OpenPGP"));
        }
        "-----BEGIN SIGNED MESSAGE-----" => return Err(SignatureError::Foreign("X.509")),
        _ => return Err(SignatureError::Malformed("it is no SSH signature".into())),
    }
    let signature = SshSig::from_pem(armoured);
    let signature = signature.map_err(|error| SignatureError::Malformed(error.to_string()))?;
    // One signature has one form: lengths that do not hold are read over by the library.
    let written = signature.to_pem(LineEnding::LF);
    if !written.is_ok_and(|written| written.split_whitespace().eq(armoured.split_whitespace())) {
        return Err(SignatureError::Malformed(
            "it is not in the form that ssh-keygen gives it".into(),
        ));
    }
    // The number is not part of what is signed.
    if signature.version() != SshSig::VERSION {
        let version = signature.version();
        return Err(SignatureError::Malformed(format!(
            "it is of version {version}"
        )));
    }
    if signature.namespace() != NAMESPACE {
        let namespace = signature.namespace().escape_debug().to_string();
        return Err(SignatureError::Namespace(namespace));
    }
    let mut why = SignatureError::Unknown(
        signature
            .public_key()
            .fingerprint(HashAlg::Sha256)
            .to_string(),
    );
    for entry in &signers.entries {
        if entry.key != *signature.public_key() {
            continue;
        }
        match holds(entry, times) {
            Err(reason) => why = reason,
            Ok(()) => {
                let key = PublicKey::new(entry.key.clone(), "");
                let verified = key.verify(NAMESPACE, signed, &signature);
                let wrong = |_| SignatureError::Wrong(entry.principals.clone());
                return verified.map(|()| entry.principals.clone()).map_err(wrong);
            }
        }
    }
    Err(why)
}

/// Whether the key may sign, and may have signed then.
fn holds(entry: &Entry, Times { made, now }: Times) -> Result<(), SignatureError> {
    let Entry {
        line: _,
        principals: signer,
        for_git,
        after,
        before,
        key: _,
    } = entry;
    if !for_git {
        return Err(SignatureError::NotForGit(signer.clone()));
    }
    let moments = [
        Some((made, "when the commit was made")),
        now.map(|now| (now, "now")),
    ];
    for (moment, when) in moments.into_iter().flatten() {
        let signer = || signer.clone();
        if after.is_some_and(|after| moment < after) {
            return Err(SignatureError::Early {
                signer: signer(),
                when,
            });
        }
        if before.is_some_and(|before| before <= moment) {
            return Err(SignatureError::Expired {
                signer: signer(),
                when,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
