//! A plan in a file, to be looked at today and applied tomorrow.
//!
//! The file holds the whole desired program, so it needs no policy to be applied and can be verified
//! afterwards. Its operations are what was promised, never what is sent: whoever applies it reads the
//! kernel, plans again, and goes on only if the operations come out the same. A file that was tampered
//! with can therefore not do anything else than bring the kernel to the program it holds.
//!
//! The texts of the policy are in it for what comes after: they are what a box boots with once the plan is in force.

mod check;
mod images;
mod mirror;
mod policy;
mod reading;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Operation, Plan};
use crate::bytecode::Program;
use crate::system::{Difference, Setting, Settings};
use images::ProgramImage;
use mirror::Mirror;
pub use policy::{SavedPolicy, SavedText};
pub use reading::RawReading;

/// A plan and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPlan {
    /// The plan.
    pub plan: Plan,
    /// What the kernel shall hold then.
    pub desired: Program,
    /// What the settings of the box shall be then.
    pub settings: Settings,
    /// The settings that the plan changes.
    pub changes: Vec<SettingPromise>,
    /// What it was made of.
    pub policy: SavedPolicy,
}

/// A change of a setting, as it was promised: applied only if it would be the same now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingPromise {
    /// Which, as sysctl(8) writes it.
    pub key: String,
    /// What it was.
    pub was: String,
    /// What it shall be.
    pub value: u32,
}

impl SettingPromise {
    /// What would be changed now.
    pub fn all(difference: &Difference) -> Vec<Self> {
        let promises = difference.changes.iter().map(|change| Self {
            key: change.key.to_string(),
            was: change.was.clone(),
            value: change.value,
        });
        promises.collect()
    }
}

/// Why a file is no plan that can be applied.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// It has not the form.
    #[error(
        "this is no plan that `rfw plan --out` has kept; a policy is applied with `--policy PATH`"
    )]
    Form(#[source] serde_json::Error),
    /// It has a form that this version does not know.
    #[error("the plan has form {found}, and this rfw reads form {VERSION}: plan again")]
    Version {
        /// What it says.
        found: u64,
    },
    /// Its digest is not that of its content.
    #[error("the plan was changed after it was saved: its digest does not fit")]
    Digest,
    /// What it would lead to cannot be.
    #[error("the plan is not sound: {what}")]
    Unsound {
        /// What is wrong.
        what: String,
    },
}

/// The form of the file.
const VERSION: u64 = 4;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    rfw: String,
    generation: u32,
    /// The mark of the live table.
    table: Option<[u8; 16]>,
    digest: String,
    desired: ProgramImage,
    /// Key and value.
    settings: Vec<(String, u32)>,
    changes: Vec<SettingPromise>,
    policy: SavedPolicy,
    staging: Vec<<Operation as Mirror>::Image>,
    commit: Vec<<Operation as Mirror>::Image>,
}

impl SavedPlan {
    /// The text of the file.
    ///
    /// # Errors
    /// Never, as far as is known; the serialiser could refuse.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let Self {
            plan:
                Plan {
                    base,
                    table,
                    staging,
                    commit,
                },
            desired,
            settings,
            changes,
            policy,
        } = self;
        let settings = settings
            .iter()
            .map(|setting| (setting.key.to_string(), setting.value))
            .collect();
        let mut text = serde_json::to_string(&File {
            version: VERSION,
            rfw: env!("CARGO_PKG_VERSION").to_owned(),
            generation: base.image(),
            table: table.image(),
            digest: file_digest(desired, &settings, policy)?,
            desired: desired.image(),
            settings,
            changes: changes.clone(),
            policy: policy.clone(),
            staging: staging.image(),
            commit: commit.image(),
        })?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of a file, and trusts nothing in it.
    ///
    /// # Errors
    /// When it is anything else than what [`SavedPlan::to_json`] writes.
    pub fn from_json(text: &str) -> Result<Self, SavedPlanError> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        let Head { version } = serde_json::from_str(text).map_err(SavedPlanError::Form)?;
        if version != VERSION {
            return Err(SavedPlanError::Version { found: version });
        }
        let File {
            version: _,
            rfw: _,
            generation,
            table,
            digest: promised,
            desired,
            settings,
            changes,
            policy,
            staging,
            commit,
        } = serde_json::from_str(text).map_err(SavedPlanError::Form)?;
        let desired = Program::of(desired);
        if file_digest(&desired, &settings, &policy).map_err(SavedPlanError::Form)? != promised {
            return Err(SavedPlanError::Digest);
        }
        if !policy.is_whole() {
            let what = "it has not as many texts of the policy as it says".to_owned();
            return Err(SavedPlanError::Unsound { what });
        }
        check::check(&desired).map_err(|what| SavedPlanError::Unsound { what })?;
        let settings = settings.into_iter().map(|(key, value)| {
            // Only keys that rfw knows, so that a forged file cannot set anything else.
            let key = key.parse().map_err(|error| SavedPlanError::Unsound {
                what: format!("{error}"),
            })?;
            Ok(Setting {
                key,
                value,
                origin: String::new(),
            })
        });
        let settings = settings.collect::<Result<Vec<_>, SavedPlanError>>()?;
        Ok(Self {
            plan: Plan {
                base: Mirror::of(generation),
                table,
                staging: Mirror::of(staging),
                commit: Mirror::of(commit),
            },
            desired,
            settings: Settings::new(settings),
            changes,
            policy,
        })
    }
}

/// SHA-256 of what the kernel shall hold, hexadecimal; where in the policy it comes from does not count.
///
/// # Errors
/// Never, as far as is known; the serialiser could refuse.
pub fn digest(program: &Program) -> Result<String, serde_json::Error> {
    let bytes = serde_json::to_vec(&program.image().without_origins())?;
    let hash = Sha256::digest(bytes);
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The digest of the file: of the program, of the settings, and of the policy.
fn file_digest(
    program: &Program,
    settings: &Vec<(String, u32)>,
    policy: &SavedPolicy,
) -> Result<String, serde_json::Error> {
    let mut hash = Sha256::new();
    hash.update(digest(program)?);
    hash.update(serde_json::to_vec(settings)?);
    hash.update(serde_json::to_vec(policy)?);
    let hash = hash.finalize();
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}
