//! Connections to the origin: reached within the time there is for it, over TLS where the origin's URL says so.

mod connector;
mod error;
mod report;
mod stream;
mod tls;

pub(super) use self::{
    connector::{Connector, Offer},
    error::ConnectError,
    stream::{HasAnswered, OriginStream},
};
