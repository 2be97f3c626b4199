//! Paths, and what lies under them.

/// What a route is for.
#[derive(Debug)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (prefix, is_under) = match path.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (path, false),
        };
        if !prefix.starts_with('/') || prefix.contains('*') || (is_under && !prefix.ends_with('/'))
        {
            return None;
        }
        Some(Self(path.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_all_that_follows_a_slash() {
        let matches = |pattern, path| Pattern::parse(pattern).expect("a pattern").matches(path);
        assert!(matches("/a/*", "/a/") && matches("/a/*", "/a/b/c") && matches("/*", "/"));
        assert!(!matches("/a/*", "/a") && !matches("/a/*", "/ab") && !matches("/a", "/a/"));
        for odd in ["a", "", "*", "/a*", "/*/a"] {
            assert!(Pattern::parse(odd).is_none(), "{odd}");
        }
    }
}
