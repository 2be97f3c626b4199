//! Passwords: hashed with Argon2id, and checked where that may block.

use std::{num::NonZeroUsize, sync::Arc, thread};

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{Error, SaltString},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::Semaphore;

use crate::{database::blocking, http::Problem};

/// A queue for those who sign in: few passwords are checked at once. Each takes 19 MiB and a core for some
/// hundredths of a second, and whoever sends many shall wait, not exhaust the machine.
///
/// It stands outside the limit of failures: what is under way counts there as failed until it is known, and
/// five people with one account would otherwise keep out the sixth.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    free: Arc<Semaphore>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            free: Arc::new(Semaphore::new(cores.min(MOST_AT_ONCE))),
        }
    }

    /// Waits for one's turn.
    pub(crate) async fn turn(
        State(queue): State<Self>,
        request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let turn = queue.free.acquire_owned().await;
        let _turn = turn.map_err(|_| Problem::internal("the server is closing"))?;
        Ok(next.run(request).await)
    }
}

/// Whether this is the password of which that is the hash. Where there is none, nothing is, after the same
/// work.
pub(super) async fn check(password: String, hash: Option<String>) -> Result<bool, Problem> {
    blocking(move || Ok(is_right(&password, hash.as_deref()))).await
}

/// A hash to keep, in the PHC format, with a salt of its own. Blocks for some hundredths of a second.
pub(crate) fn hash(password: &str) -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Error::Crypto)?;
    let salt = SaltString::encode_b64(&salt)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt)?;
    Ok(hash.to_string())
}

fn is_right(password: &str, hash: Option<&str>) -> bool {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODYS));
    let is_right = parsed.is_ok_and(|parsed| {
        Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok()
    });
    is_right && hash.is_some()
}

/// Fewer than the failures that are allowed.
const MOST_AT_ONCE: usize = 3;

/// The hash of no known password, as costly as any.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                       $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_for_its_own_hash_alone() {
        let (hash, other) = (hash("demo").unwrap(), hash("other").unwrap());
        assert!(is_right("demo", Some(&hash)));
        assert!(!is_right("Demo", Some(&hash)));
        assert!(!is_right("demo", Some(&other)));
        assert!(!is_right("demo", Some("demo")));
    }

    #[test]
    fn two_hashes_of_a_password_differ() {
        assert_ne!(hash("demo").unwrap(), hash("demo").unwrap());
    }

    #[test]
    fn an_account_that_does_not_exist_costs_as_much_as_any() {
        let hash = hash("demo").unwrap();
        let (real, nobodys) = (PasswordHash::new(&hash), PasswordHash::new(NOBODYS));
        let (real, nobodys) = (real.unwrap(), nobodys.unwrap());
        assert_eq!(real.algorithm, nobodys.algorithm);
        assert_eq!(real.version, nobodys.version);
        assert_eq!(real.params, nobodys.params);
        let length = |hash: &PasswordHash<'_>| hash.hash.map(|output| output.len());
        assert_eq!(length(&real), length(&nobodys));
        assert!(!is_right("demo", None));
    }
}
