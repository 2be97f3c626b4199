//! Variants of one resource (RFC 9111 §4.1).

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, VARY},
};
use sha2::{Digest, Sha256};
use tower_keep_store::push_part;

/// What a response's `Vary` makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Variance {
    /// One answer for all.
    None,
    /// One answer for each combination of these request fields; sorted, without repetition.
    Fields(Box<[HeaderName]>),
    /// `*`: no other request can be known to be alike. Unreadable names count as that.
    Everything,
    /// By who asks. Not for a shared cache.
    Identity,
}

impl Variance {
    pub(crate) fn of(response: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for line in response.get_all(VARY) {
            for name in line.as_bytes().split(|byte| *byte == b',') {
                match name.trim_ascii() {
                    b"" => {}
                    b"*" => return Self::Everything,
                    name => match HeaderName::from_bytes(name) {
                        Ok(name) => names.push(name),
                        Err(_) => return Self::Everything,
                    },
                }
            }
        }
        if names.contains(&COOKIE) || names.contains(&AUTHORIZATION) {
            return Self::Identity;
        }
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        if names.is_empty() {
            Self::None
        } else {
            Self::Fields(names.into())
        }
    }
}

/// How far request fields that are written differently are taken for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Normalising {
    /// Where all origins read them alike.
    #[default]
    Cautious,
    /// Also as RFC 9111 §4.1 allows: "adding or removing whitespace, where allowed in the header field's syntax",
    /// which is taken to be a list's; and "reordering field values when order is not significant", which it is not
    /// to be "relied upon" in `Accept-Language` (RFC 9110 §12.5.4).
    Full,
}

/// Names one variant: a digest of the request's values in these fields, each in its normal form.
pub(crate) fn variant_of(names: &[HeaderName], request: &HeaderMap, how: Normalising) -> [u8; 16] {
    let mut material = Vec::new();
    for name in names {
        push_part(&mut material, name.as_str().as_bytes());
        let lines = request.get_all(name);
        // An absent field and an empty one are not the same selection.
        material.push(u8::from(request.contains_key(name)));
        push_part(&mut material, &normal_form(name, lines.iter(), how));
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(&material)[..16]);
    digest
}

fn normal_form<'a>(
    name: &HeaderName,
    lines: impl Iterator<Item = &'a HeaderValue>,
    how: Normalising,
) -> Vec<u8> {
    let combined = lines.fold(Vec::new(), |mut all, line| {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(line.as_bytes().trim_ascii());
        all
    });
    match name {
        // Servers choose among equal codings as they like, among equal languages often the first.
        name if name == ACCEPT_ENCODING => preferences(&combined, true).unwrap_or(combined),
        name if name == ACCEPT_LANGUAGE => {
            preferences(&combined, how == Normalising::Full).unwrap_or(combined)
        }
        _ if how == Normalising::Full => without_spaces(combined),
        _ => combined,
    }
}

/// A list without the spaces around its commas, unless they may stand within a string or a comment.
fn without_spaces(list: Vec<u8>) -> Vec<u8> {
    if list.iter().any(|byte| b"\"(".contains(byte)) {
        return list;
    }
    let members = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.collect::<Vec<_>>().join(&b',')
}

/// `Accept-*` lists that say the same in another case or spacing, and where `any_order` in another order,
/// become the same. Nothing, if a member is not plainly a value and its weight: then one origin may see
/// in it what another does not.
fn preferences(list: &[u8], any_order: bool) -> Option<Vec<u8>> {
    let mut members = str::from_utf8(list)
        .ok()?
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty())
        .map(|member| {
            let (value, weight) = member.split_once(';').unwrap_or((member, "q=1"));
            Some((value.trim().to_ascii_lowercase(), weight_of(weight)?))
        })
        .collect::<Option<Vec<_>>>()?;
    if any_order {
        members.sort_unstable();
    }
    members.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    members.dedup();
    // Told apart from a field that is kept as it is, which cannot begin so.
    let mut normal = vec![0];
    for (value, weight) in members {
        push_part(&mut normal, value.as_bytes());
        normal.extend_from_slice(&weight.to_be_bytes());
    }
    Some(normal)
}

/// `q=` and a weight, in thousandths (RFC 9110 §12.4.2).
fn weight_of(parameter: &str) -> Option<u16> {
    let weight = parameter
        .trim()
        .strip_prefix(['q', 'Q'])?
        .strip_prefix('=')?;
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        _ if !digits => None,
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Variance {
        let lines = values
            .iter()
            .map(|value| (VARY, value.parse().expect("a field value")));
        Variance::of(&lines.collect())
    }

    fn variant(name: HeaderName, value: &str) -> [u8; 16] {
        let request = HeaderMap::from_iter([(name.clone(), value.parse().expect("a field value"))]);
        variant_of(&[name], &request, Normalising::Cautious)
    }

    #[test]
    fn lists_lines_case_and_repetition_make_one_set_of_names() {
        assert_eq!(
            of(&["Accept-Language, accept", "ACCEPT ,"]),
            of(&["accept,accept-language"])
        );
        assert_eq!(of(&[]), Variance::None);
        assert_eq!(of(&[""]), Variance::None);
        assert_eq!(of(&["accept", "*"]), Variance::Everything);
        assert_eq!(of(&["a b"]), Variance::Everything);
        assert_eq!(of(&["accept, Cookie"]), Variance::Identity);
        assert_eq!(of(&["authorization"]), Variance::Identity);
    }

    #[test]
    fn preferences_that_say_the_same_are_one_variant() {
        let gzip = variant(ACCEPT_ENCODING, "gzip, br;q=0.5");
        assert_eq!(gzip, variant(ACCEPT_ENCODING, "br; q=0.50 ,GZIP;q=1.000"));
        assert_ne!(gzip, variant(ACCEPT_ENCODING, "gzip, br;q=0.4"));
        assert_ne!(gzip, variant(ACCEPT_ENCODING, "gzip, br;q=0"));
        assert_eq!(
            variant(ACCEPT_LANGUAGE, "de-AT,de;q=0.9"),
            variant(ACCEPT_LANGUAGE, "de;q=0.9, de-at")
        );
    }

    #[test]
    fn what_origins_may_read_differently_is_taken_as_it_is() {
        let language = |value| variant(ACCEPT_LANGUAGE, value);
        assert_ne!(language("de, en"), language("en, de"));
        assert_ne!(language("de;x=1, en;q=0.5"), language("de, en;q=0.5"));
        for odd in ["de;q=.9", "de;q=2", "de;q=0.1234", "de;q", "de;q=1;x"] {
            assert_ne!(language(odd), language("de"), "{odd}");
        }
        assert_eq!(
            variant(ACCEPT_ENCODING, "br, gzip"),
            variant(ACCEPT_ENCODING, "gzip, br")
        );
    }

    #[test]
    fn absent_and_empty_differ_and_other_fields_are_taken_as_they_are() {
        let name = HeaderName::from_static("x-flavour");
        let names = [name.clone()];
        assert_ne!(
            variant_of(&names, &HeaderMap::new(), Normalising::Cautious),
            variant(name.clone(), "")
        );
        assert_ne!(variant(name.clone(), "a"), variant(name.clone(), "A"));
        assert_eq!(variant(name.clone(), " a "), variant(name, "a"));
    }

    #[test]
    fn by_the_rfc_order_of_languages_and_spaces_in_lists_do_not_matter() {
        let of = |name: &'static str, value: &str| {
            let name = HeaderName::from_static(name);
            let line = (name.clone(), value.parse().expect("a field value"));
            let request = HeaderMap::from_iter([line]);
            variant_of(&[name], &request, Normalising::Full)
        };
        let language = |value| of("accept-language", value);
        assert_eq!(language("de, en"), language("EN,de"));
        assert_ne!(language("de, en"), language("de, en;q=0.9"));
        let other = |value| of("foo", value);
        assert_eq!(other("1,2"), other(" 1 ,  2 "));
        for different in [
            "12", "1 2", "2,1", "1,,2", "(1, 2)", "(1,2)", "\"1, 2\"", "\"1,2\"",
        ] {
            assert_ne!(other("1,2"), other(different), "{different}");
        }
        assert_ne!(other("(1,2)"), other("(1, 2)"));
        assert_ne!(other("a"), other("A"));
    }
}
