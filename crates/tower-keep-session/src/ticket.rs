//! What a client holds: a secret, and whose it is.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tower_keep_store::Key;

/// 256 random bits from the operating system, and, once somebody is logged in, a digest of the user: on a
/// Cluster it says in which slot all the records of the user are.
///
/// Only the digest of the secret is ever stored. A digest of another user beside it finds nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    secret: [u8; 32],
    owner: Option<[u8; 16]>,
    /// In which realm it is looked for; the client does not say.
    realm: Option<[u8; 16]>,
    /// Whether the client keeps it when it is closed. It says so itself: nobody else minds.
    pub(crate) is_remembered: bool,
}

impl Ticket {
    /// A new one, for nobody yet or for the owner of this key.
    pub(crate) fn new(owner: Option<&Key>) -> Self {
        let mut secret = [0; 32];
        // Without randomness from the system there can be no secret.
        getrandom::fill(&mut secret).expect("the operating system gives random numbers");
        Self {
            secret,
            owner: owner.map(Key::digest),
            realm: None,
            is_remembered: true,
        }
    }

    /// The same in a realm of this digest, if in one: what it finds there, it finds nowhere else.
    pub(crate) fn within(self, realm: Option<[u8; 16]>) -> Self {
        Self { realm, ..self }
    }

    /// The same, to be kept or forgotten by a client that is closed. One of nobody is kept.
    pub(crate) fn remembered(self, is_remembered: bool) -> Self {
        Self {
            is_remembered: is_remembered || self.owner.is_none(),
            ..self
        }
    }

    /// Reads what a client sent; nothing if it is not a ticket.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let forgotten = text
            .strip_suffix(FORGOTTEN)
            .filter(|rest| rest.len() == WHOLE);
        let text = forgotten.unwrap_or(text);
        let (secret, owner) = match text.len() {
            SECRET => (text, None),
            WHOLE if text[SECRET] == b'.' => (&text[..SECRET], Some(&text[SECRET + 1..])),
            _ => return None,
        };
        Some(Self {
            secret: decode(secret)?,
            owner: match owner {
                Some(owner) => Some(decode(owner)?),
                None => None,
            },
            realm: None,
            is_remembered: forgotten.is_none(),
        })
    }

    /// What the client is given.
    pub(crate) fn text(&self) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(self.secret);
        if let Some(owner) = self.owner {
            text.push('.');
            URL_SAFE_NO_PAD.encode_string(owner, &mut text);
        }
        if !self.is_remembered {
            text.push('~');
        }
        text
    }

    /// The digest of its secret, which names the session without giving it away.
    pub(crate) fn digest(&self) -> [u8; 16] {
        self.hashed().digest()
    }

    fn hashed(&self) -> Key {
        match self.realm {
            Some(realm) => Key::new(SESSION, &[&self.secret[..], &realm].concat()),
            None => Key::new(SESSION, &self.secret),
        }
    }

    /// The key from which those of the user are made.
    pub(crate) fn owner(&self) -> Option<Key> {
        self.owner.map(|owner| Key::from_digest(OWNER, owner))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == N).then_some(bytes)
}

/// The kind of the sessions' records.
pub(crate) const SESSION: &str = "s";

/// The kind of the key that names a user.
pub(crate) const OWNER: &str = "su";

/// The kind of the records of revoked tokens.
pub(crate) const TOKEN: &str = "st";

/// The kind of the digests of realms, which are part of keys only.
pub(crate) const REALM: &str = "sr";

/// Characters of a secret, and of a secret with an owner.
const SECRET: usize = 43;
const WHOLE: usize = SECRET + 1 + 22;

/// The end of one that its client is to forget when it is closed.
const FORGOTTEN: &[u8] = b"~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_as_it_was_written() {
        let owner = Key::new(OWNER, b"ada");
        let forgotten = Ticket::new(Some(&owner)).remembered(false);
        for ticket in [Ticket::new(None), Ticket::new(Some(&owner)), forgotten] {
            assert_eq!(Ticket::parse(ticket.text().as_bytes()), Some(ticket));
        }
    }

    #[test]
    fn what_is_no_ticket_is_none() {
        let good = Ticket::new(Some(&Key::new(OWNER, b"ada"))).text();
        let long = "A".repeat(8192);
        let other = good.replacen('.', ",", 1);
        let short = format!("{}~", &good[..43]);
        let twice = format!("{good}~~");
        for bad in [
            "",
            ".",
            "x",
            &good[1..],
            &good[..44],
            &long,
            &other,
            &short,
            &twice,
        ] {
            assert_eq!(Ticket::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Ticket::parse(&[0xff; WHOLE]), None);
    }

    #[test]
    fn nothing_shows_the_secret() {
        let ticket = Ticket::new(None);
        let at = crate::place::At::of(&ticket);
        assert!(!format!("{ticket:?} {at:?}").contains(&ticket.text()));
    }
}
