//! Values that cannot be converted.

use std::{error::Error, fmt};

/// Why a value cannot be written as JSON, or read from it. It says where, and never what: a value may be a
/// secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    why: &'static str,
    /// 0 where nothing was read.
    column: usize,
}

impl ValueError {
    pub(crate) fn no_object() -> Self {
        Self {
            why: "a session's type is a struct or a map",
            column: 0,
        }
    }
}

impl From<serde_json::Error> for ValueError {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        Self {
            why: match error.classify() {
                Category::Data => "the value is of another type",
                Category::Eof => "the value is cut off",
                Category::Io | Category::Syntax => "the value is no JSON",
            },
            column: error.column(),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)?;
        match self.column {
            0 => Ok(()),
            column => write!(f, ", at byte {column}"),
        }
    }
}

impl Error for ValueError {}
