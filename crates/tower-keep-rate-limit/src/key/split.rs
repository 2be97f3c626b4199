//! Lists of a header, from the right.

/// The elements of a list, the last first, without looking at what is left of them: there anybody may have
/// written, say, one quotation mark too many. Nothing, and then the end, where quotation marks do not
/// match.
pub(super) struct SplitFromRight<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
    is_quoting: bool,
}

impl<'a> SplitFromRight<'a> {
    /// Each separator parts elements.
    pub(super) fn plain(list: &'a [u8], separator: u8) -> Self {
        Self {
            rest: Some(list),
            separator,
            is_quoting: false,
        }
    }

    /// Separators within quotation marks do not count; nor do quotation marks after a backslash.
    pub(super) fn quoting(list: &'a [u8], separator: u8) -> Self {
        Self {
            is_quoting: true,
            ..Self::plain(list, separator)
        }
    }

    /// Where the last separator is; an error if it is not known what is one.
    fn last_separator(&self, list: &[u8]) -> Result<Option<usize>, Unbalanced> {
        let mut is_quoted = false;
        for (at, byte) in list.iter().enumerate().rev() {
            match byte {
                b'"' if self.is_quoting => match (is_escaped(&list[..at]), is_quoted) {
                    (true, true) => {}
                    (true, false) => return Err(Unbalanced),
                    (false, _) => is_quoted = !is_quoted,
                },
                byte if *byte == self.separator && !is_quoted => return Ok(Some(at)),
                _ => {}
            }
        }
        if is_quoted { Err(Unbalanced) } else { Ok(None) }
    }
}

struct Unbalanced;

impl<'a> Iterator for SplitFromRight<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let list = self.rest.take()?;
        match self.last_separator(list) {
            Ok(Some(at)) => {
                self.rest = Some(&list[..at]);
                Some(Some(&list[at + 1..]))
            }
            Ok(None) => Some(Some(list)),
            Err(Unbalanced) => Some(None),
        }
    }
}

/// Whether what follows is escaped: an even number of backslashes only escape each other.
fn is_escaped(before: &[u8]) -> bool {
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoting(list: &str) -> Vec<Option<&str>> {
        SplitFromRight::quoting(list.as_bytes(), b',')
            .map(|element| element.map(|bytes| str::from_utf8(bytes).expect("text")))
            .collect()
    }

    #[test]
    fn the_last_element_is_first() {
        assert_eq!(
            quoting("a,b,,c"),
            [Some("c"), Some(""), Some("b"), Some("a")]
        );
        assert_eq!(quoting(""), [Some("")]);
    }

    #[test]
    fn separators_within_quotation_marks_are_none() {
        assert_eq!(
            quoting(r#"a,"b,\",\\",c"#),
            [Some("c"), Some(r#""b,\",\\""#), Some("a")]
        );
        let plain: Vec<_> = SplitFromRight::plain(b"a\",\"b", b',').collect();
        assert_eq!(plain, [Some(&b"\"b"[..]), Some(&b"a\""[..])]);
    }

    #[test]
    fn an_unbalanced_quotation_mark_hides_nothing_to_its_right() {
        assert_eq!(
            quoting(r#"a,x="b,c,"d""#),
            [Some(r#""d""#), Some("c"), None]
        );
        assert_eq!(quoting(r#"a,b\",c"#), [Some("c"), None]);
    }
}
