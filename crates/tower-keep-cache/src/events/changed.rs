//! An event.

use std::{borrow::Cow, fmt};

/// Something changed: one thing of a kind, all of a kind, or nobody knows what.
///
/// ```
/// use tower_keep_cache::Changed;
///
/// // A candidate moved from one job to another: both lists are concerned.
/// let moved = Changed::new("candidate", 42).value("job", 7).value("job", 9);
/// assert_eq!(moved.id(), "42");
/// assert!(moved.values("job").eq(["7", "9"]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Changed {
    pub(super) what: What,
    values: Vec<(Cow<'static, str>, Box<str>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    One {
        kind: Cow<'static, str>,
        id: Box<str>,
    },
    All {
        kind: Cow<'static, str>,
    },
    Missed,
}

impl Changed {
    /// The thing of this kind (a table, a model, a topic) with this id came, went or changed.
    pub fn new(kind: impl Into<Cow<'static, str>>, id: impl fmt::Display) -> Self {
        Self::of(What::One {
            kind: kind.into(),
            id: id.to_string().into(),
        })
    }

    /// Any number of this kind changed, nobody says which: a table was truncated, a list too long.
    pub fn all(kind: impl Into<Cow<'static, str>>) -> Self {
        Self::of(What::All { kind: kind.into() })
    }

    /// Changes may have been missed, of whatever kind: a feed was interrupted.
    pub const fn missed() -> Self {
        Self::of(What::Missed)
    }

    /// Adds a value that the change concerns, as it was or as it is. A field may have several.
    pub fn value(mut self, field: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.values.push((field.into(), value.to_string().into()));
        self
    }

    /// The kind; empty if changes were [missed](Self::missed).
    #[must_use]
    pub fn kind(&self) -> &str {
        match &self.what {
            What::One { kind, .. } | What::All { kind } => kind,
            What::Missed => "",
        }
    }

    /// The id; empty where nobody knows it.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.what {
            What::One { id, .. } => id,
            What::All { .. } | What::Missed => "",
        }
    }

    /// The values of a field, in the order of their adding.
    pub fn values<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.values.iter().filter(move |(name, _)| name == field);
        named.map(|(_, value)| &**value)
    }

    const fn of(what: What) -> Self {
        Self {
            what,
            values: Vec::new(),
        }
    }
}
