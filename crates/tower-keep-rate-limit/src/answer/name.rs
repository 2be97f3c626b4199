//! Names of policies.

use tower_keep_store::ConfigError;

/// Whether a policy can be told by this name: clients read it as a string of a structured field.
pub(crate) fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() {
        return Err(ConfigError::new("a policy needs a name"));
    }
    if let Some(other) = name.chars().find(|char| !matches!(char, ' '..='~')) {
        return Err(ConfigError::new(format!(
            "a name is printable ASCII, {other:?} is not"
        )));
    }
    if name.len() > LONGEST {
        return Err(ConfigError::new(format!(
            "a name has at most {LONGEST} characters, not {}",
            name.len()
        )));
    }
    Ok(())
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_ascii_is_a_name() {
        let longest = "n".repeat(64);
        for name in ["a", " ", "~", r#"with "quotes" and \"#, &longest] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_error_names_the_fault() {
        let too_long = "n".repeat(65);
        let table = [
            ("", "a policy needs a name"),
            ("a\nb", "a name is printable ASCII, '\\n' is not"),
            ("größe", "a name is printable ASCII, 'ö' is not"),
            ("\u{7f}", "a name is printable ASCII, '\\u{7f}' is not"),
            (&too_long, "a name has at most 64 characters, not 65"),
        ];
        for (name, fault) in table {
            let error = check_name(name).expect_err(fault);
            assert_eq!(error.to_string(), fault);
        }
    }
}
