//! Tags that the origin names.

use http::{HeaderMap, HeaderName, HeaderValue};
use tower_keep::Tag;

/// The tags that the origin names, which clients need not know.
pub(super) fn take(headers: &mut HeaderMap, name: &HeaderName) -> Vec<Tag> {
    let lines = headers.get_all(name).iter().filter_map(named);
    let tags = lines.flatten().map(Tag::new).collect();
    headers.remove(name);
    tags
}

/// `Surrogate-Key` has spaces between them, `Cache-Tag` commas.
fn named(line: &HeaderValue) -> Option<impl Iterator<Item = &str>> {
    let names = line.to_str().ok()?.split([' ', ',']);
    Some(names.filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_both_kinds_are_read_and_taken_out() {
        let name = HeaderName::from_static("surrogate-key");
        let mut headers = HeaderMap::new();
        headers.append(&name, HeaderValue::from_static("a b"));
        headers.append(&name, HeaderValue::from_static("c,d, e"));
        assert_eq!(take(&mut headers, &name).len(), 5);
        assert!(headers.is_empty());
    }
}
