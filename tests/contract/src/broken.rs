use std::fmt;

/// What a check has to say: nothing, or which rule was broken and how.
pub type Kept = Result<(), Broken>;

/// A rule that the layer under test broke.
#[derive(Debug)]
pub struct Broken {
    check: &'static str,
    how: String,
}

impl Broken {
    pub(crate) fn new(check: &'static str, how: impl Into<String>) -> Self {
        Self {
            check,
            how: how.into(),
        }
    }

    /// The name of the check, which is the path of its function below this crate.
    #[must_use]
    pub fn check(&self) -> &'static str {
        self.check
    }

    /// What was seen instead of what was asked.
    #[must_use]
    pub fn how(&self) -> &str {
        &self.how
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.how)
    }
}

impl std::error::Error for Broken {}
