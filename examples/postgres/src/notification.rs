//! What a notification says.

use tower_keep::Changed;

/// Reads the payload that `tell_changes.sql` writes: a kind, and the key of one thing of it or none for all.
pub(crate) fn changed(payload: &str) -> Changed {
    match payload.split_once(' ') {
        Some((kind, key)) => Changed::new(kind.to_owned(), key),
        None => Changed::all(payload.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_one_thing_or_all_of_a_kind() {
        assert_eq!(changed("person 42"), Changed::new("person", 42));
        assert_eq!(changed("team a b"), Changed::new("team", "a b"));
        assert_eq!(changed("person"), Changed::all("person"));
    }
}
