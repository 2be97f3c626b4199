use std::{fmt, future::Future, pin::Pin};

use bytes::Bytes;
use http::HeaderMap;

/// One line of a body's script.
pub(super) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(u64),
    /// Waits for something that the test decides, most often a gate.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
    Panic,
}

impl Step {
    /// Whether the client sees something of this step.
    pub(super) fn is_visible(&self) -> bool {
        !matches!(self, Self::Wait(_))
    }

    /// The bytes that this step adds to the body.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Data(data) => data.len() as u64,
            _ => 0,
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => f.debug_tuple("Data").field(data).finish(),
            Self::Trailers(trailers) => f.debug_tuple("Trailers").field(trailers).finish(),
            Self::Error(number) => f.debug_tuple("Error").field(number).finish(),
            Self::Wait(_) => f.write_str("Wait"),
            Self::Panic => f.write_str("Panic"),
        }
    }
}
