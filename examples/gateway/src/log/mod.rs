//! The access log: one line of JSON for each request, when its last byte has passed.

mod access_log;
mod body;
mod line;

pub(crate) use self::{access_log::AccessLog, body::LoggedBody};
