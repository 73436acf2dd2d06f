//! The word `auto`, where rfw works out what is best.

use super::{ValueError, leaf};
use crate::diagnostic::Code;
use std::{fmt, str::FromStr};

/// The word `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Auto;

impl fmt::Display for Auto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("auto")
    }
}

impl FromStr for Auto {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "auto" => Ok(Auto),
            other => Err(ValueError::new(
                Code::UnknownValue,
                format!("`{other}` is not known here"),
            )
            .help("write `auto`, or the values")),
        }
    }
}

leaf!(Auto, "auto", "`auto`", {
    "type": "string",
    "pattern": "^auto$",
    "description": "The word `auto`."
});

#[cfg(test)]
mod tests {
    use super::super::leaf::told;
    use super::Auto;

    #[test]
    fn one_word() {
        assert_eq!(told::<Auto>("auto"), "ok: auto");
        assert_eq!(
            told::<Auto>("automatic"),
            "unknown-value: `automatic` is not known here; write `auto`, or the values"
        );
    }
}
