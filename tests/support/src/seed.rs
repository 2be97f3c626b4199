use std::hash::{BuildHasher, RandomState};

/// The seed of a randomised test: `KEEP_SEED` if it is set, a new one otherwise.
///
/// It is printed either way, so that a failed run says how to repeat it.
///
/// # Panics
///
/// If `KEEP_SEED` is not an unsigned 64-bit number: a typo must not silently become another run.
#[allow(clippy::print_stderr)]
pub fn seed() -> u64 {
    let seed = chosen(std::env::var("KEEP_SEED").ok().as_deref());
    eprintln!("KEEP_SEED={seed} repeats this run");
    seed
}

fn chosen(given: Option<&str>) -> u64 {
    match given {
        Some(text) => text.trim().parse().unwrap_or_else(|_| {
            panic!("KEEP_SEED must be an unsigned 64-bit number, not {text:?}")
        }),
        None => RandomState::new().hash_one("tower-keep"),
    }
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_given_seed_is_taken() {
        assert_eq!(chosen(Some("42\n")), 42);
    }

    #[test]
    fn a_made_seed_differs_between_runs() {
        assert_ne!(chosen(None), chosen(None));
    }

    #[test]
    #[should_panic(expected = "KEEP_SEED must be")]
    fn a_typo_is_refused() {
        chosen(Some("forty-two"));
    }
}
