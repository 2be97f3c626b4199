//! `POST /webhooks/calendar`: a calendar service reports a booked interview.

mod availability;
mod caller;
mod configuration;
mod delivery;
mod event;
mod receive;
mod secret;
mod signature;

pub use self::caller::Caller;
pub(crate) use self::{configuration::Configuration, receive::receive};
