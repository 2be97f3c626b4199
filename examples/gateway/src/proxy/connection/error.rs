//! Why there is no connection.

use std::{error::Error, fmt, io};

use tower::BoxError;

use crate::causes::causes;

/// What kept the origin from being reached.
#[derive(Debug)]
pub(in crate::proxy) enum ConnectError {
    /// It has no address, or nobody listens there.
    Tcp(BoxError),
    /// It broke off, or is not who it should be.
    Tls(io::Error),
    /// It, or the handshake with it, took too long.
    TimedOut,
    /// It speaks another protocol than was agreed on.
    Protocol(hyper::Error),
}

impl ConnectError {
    pub(super) fn tcp(error: impl Error + Send + Sync + 'static) -> Self {
        if is_late(&error) {
            Self::TimedOut
        } else {
            Self::Tcp(Box::new(error))
        }
    }
}

fn is_late(error: &(dyn Error + 'static)) -> bool {
    let mut io = causes(error).filter_map(|error| error.downcast_ref::<io::Error>());
    io.any(|error| error.kind() == io::ErrorKind::TimedOut)
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "no connection",
            Self::Tls(_) => "no TLS",
            Self::TimedOut => "not in time",
            Self::Protocol(_) => "no common protocol",
        })
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Tcp(error) => Some(&**error),
            Self::Tls(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::TimedOut => None,
        }
    }
}
