//! How a ticket travels.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
        COOKIE, HOST, SET_COOKIE, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VARY,
    },
};

use tower_keep_store::ConfigError;

use crate::{
    cookie::{Sent, SessionCookie},
    ticket::Ticket,
};

/// How a ticket travels between client and server.
///
/// An API for programs beside the pages, with the same users: whoever logs in there finds the token in the
/// response's `session-ticket` field.
///
/// ```
/// use tower_keep_session::{SessionLayer, Transport};
/// use tower_keep_store::Store;
///
/// let store = Store::memory();
/// let pages = SessionLayer::new(store.clone());
/// let api = SessionLayer::builder(store).transport(Transport::Bearer).build()?;
/// # Ok::<_, tower_keep_store::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub enum Transport {
    /// In a cookie, as browsers do it.
    Cookie(SessionCookie),
    /// As `Authorization: Bearer …`. New tickets are told in the response's `session-ticket` field; the client
    /// keeps them.
    Bearer,
    /// In a field of this name, in requests and responses; with gRPC, in the metadata of that name.
    Header(HeaderName),
}

impl Transport {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Cookie(cookie) => cookie.check(),
            Self::Header(name) if TAKEN.contains(name) => Err(ConfigError::new(format!(
                "transport: the field {name} has another use"
            ))),
            Self::Bearer | Self::Header(_) => Ok(()),
        }
    }

    /// Whether both look in the same place.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cookie(one), Self::Cookie(other)) => one.name() == other.name(),
            (Self::Bearer, Self::Bearer) => true,
            (Self::Header(one), Self::Header(other)) => one == other,
            _ => false,
        }
    }

    pub(crate) fn find(&self, headers: &HeaderMap) -> Sent {
        match self {
            Self::Cookie(cookie) => cookie.find(headers),
            Self::Bearer => single(headers, &AUTHORIZATION, |value| {
                let (scheme, token) = value.split_at_checked(7)?;
                scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
            }),
            Self::Header(name) => single(headers, name, |value| Some(value)),
        }
    }

    /// The field on which a response depends if its session was looked at.
    pub(crate) fn varies_by(&self) -> HeaderName {
        match self {
            Self::Cookie(_) => COOKIE,
            Self::Bearer => AUTHORIZATION,
            Self::Header(name) => name.clone(),
        }
    }

    /// The field of a response that tells new tickets.
    pub(crate) fn answers_in(&self) -> HeaderName {
        match self {
            Self::Header(name) => name.clone(),
            Self::Cookie(_) | Self::Bearer => SESSION_TICKET,
        }
    }
}

fn single(
    headers: &HeaderMap,
    name: &HeaderName,
    part: impl for<'a> Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Sent {
    let lines = headers.get_all(name).iter();
    let mut values = lines.filter_map(|line| part(line.as_bytes()));
    match (values.next(), values.next()) {
        (None, _) => Sent::Nothing,
        (Some(value), None) => Ticket::parse(value).map_or(Sent::Nothing, Sent::Ticket),
        (Some(_), Some(_)) => Sent::Ambiguous,
    }
}

/// A ticket for clients that do not use cookies.
pub(crate) fn value(ticket: &Ticket) -> HeaderValue {
    let mut value = HeaderValue::try_from(ticket.text()).expect("base64 is printable");
    value.set_sensitive(true);
    value
}

/// Fields that mean something else in requests or responses.
static TAKEN: [HeaderName; 12] = [
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    HOST,
    SET_COOKIE,
    TRANSFER_ENCODING,
    UPGRADE,
    USER_AGENT,
    VARY,
];

const SESSION_TICKET: HeaderName = HeaderName::from_static("session-ticket");
