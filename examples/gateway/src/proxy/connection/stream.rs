//! A connection, with TLS or without.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// Bytes to and from the origin.
#[derive(Debug)]
pub(in crate::proxy) enum OriginStream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Whether a request was answered on a connection in HTTP/1.1. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct HasAnswered(Arc<AtomicBool>);

impl HasAnswered {
    pub(in crate::proxy) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(in crate::proxy) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl OriginStream {
    /// Whether HTTP/2 was agreed on.
    pub(in crate::proxy) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Secure(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut (dyn ReadWrite + 'static)> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream),
            Self::Secure(stream) => Pin::new(&mut **stream),
        }
    }
}

/// Both, so that each call need not ask which stream it is.
trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

impl Connection for OriginStream {
    fn connected(&self) -> Connected {
        Connected::new().extra(HasAnswered::default())
    }
}

impl AsyncRead for OriginStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buffer)
    }
}

impl AsyncWrite for OriginStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
