//! Variants of one resource (RFC 9111 §4.1).

use std::borrow::Cow;

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

/// Names one variant: a digest of the request's values in these fields, each in its normal form.
pub(crate) fn variant_of(names: &[HeaderName], request: &HeaderMap) -> [u8; 16] {
    let mut material = Vec::new();
    for name in names {
        push_part(&mut material, name.as_str().as_bytes());
        let lines = request.get_all(name);
        // An absent field and an empty one are not the same selection.
        material.push(u8::from(request.contains_key(name)));
        push_part(&mut material, &normal_form(name, lines.iter()));
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(&material)[..16]);
    digest
}

fn normal_form<'a>(name: &HeaderName, lines: impl Iterator<Item = &'a HeaderValue>) -> Vec<u8> {
    let combined = lines.fold(Vec::new(), |mut all, line| {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(line.as_bytes().trim_ascii());
        all
    });
    if name == ACCEPT_ENCODING || name == ACCEPT_LANGUAGE {
        preferences(&combined)
    } else {
        combined
    }
}

/// `Accept-*` lists that say the same in another order, case or spacing become the same.
fn preferences(list: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(list);
    let mut members: Vec<(Cow<'_, str>, u16)> = text
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty())
        .map(|member| {
            let (value, weight) = member.split_once(';').unwrap_or((member, ""));
            (
                Cow::from(value.trim().to_ascii_lowercase()),
                weight_of(weight),
            )
        })
        .collect();
    members.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    members.dedup();
    let mut normal = Vec::with_capacity(list.len());
    for (value, weight) in members {
        push_part(&mut normal, value.as_bytes());
        normal.extend_from_slice(&weight.to_be_bytes());
    }
    normal
}

/// Thousandths; what cannot be read counts as the default, 1 (RFC 9110 §12.4.2).
fn weight_of(parameter: &str) -> u16 {
    parameter
        .trim()
        .strip_prefix(['q', 'Q'])
        .and_then(|rest| rest.trim_start().strip_prefix('='))
        .and_then(|weight| weight.trim().parse::<f32>().ok())
        .filter(|weight| (0.0..=1.0).contains(weight))
        // In range and rounded: the cast is exact.
        .map_or(1000, |weight| (weight * 1000.0).round() as u16)
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
        variant_of(&[name], &request)
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
        assert_eq!(gzip, variant(ACCEPT_ENCODING, "br; q=0.50 ,GZIP;q=1"));
        assert_ne!(gzip, variant(ACCEPT_ENCODING, "gzip, br;q=0.4"));
        assert_ne!(gzip, variant(ACCEPT_ENCODING, "gzip, br;q=0"));
        assert_eq!(
            variant(ACCEPT_LANGUAGE, "de-AT,de;q=.9"),
            variant(ACCEPT_LANGUAGE, "de;q=0.9, de-at")
        );
    }

    #[test]
    fn absent_and_empty_differ_and_other_fields_are_taken_as_they_are() {
        let name = HeaderName::from_static("x-flavour");
        let names = [name.clone()];
        assert_ne!(
            variant_of(&names, &HeaderMap::new()),
            variant(name.clone(), "")
        );
        assert_ne!(variant(name.clone(), "a"), variant(name.clone(), "A"));
        assert_eq!(variant(name.clone(), " a "), variant(name, "a"));
    }
}
