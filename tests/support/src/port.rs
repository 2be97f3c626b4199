use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A free port of 127.0.0.1 that nobody else is given, as long as this lives.
///
/// A server of the test that is killed, or a proxy that refuses, leaves its port to whoever asks for one next:
/// another test, or the very client that wants to connect there again. So a socket that never listens stays bound
/// to it. Who names the port can listen on it (all that is needed is `SO_REUSEADDR`, which servers set); while
/// nobody does, connections are refused.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _held: Option<TcpSocket>,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let socket = bound().expect("the loopback interface has a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        Self {
            number: address.port(),
            // Elsewhere nobody could listen beside it.
            _held: cfg!(target_os = "linux").then_some(socket),
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

fn bound() -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::Port;

    #[test]
    fn who_knows_the_port_listens_on_it_again_and_again_and_nobody_is_connected_in_between() {
        let port = Port::reserve();
        for _ in 0..3 {
            TcpStream::connect(port.address()).expect_err("nobody listens");
            let listener = TcpListener::bind(port.address()).expect("it is ours");
            TcpStream::connect(port.address()).expect("somebody listens");
            drop(listener);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nobody_else_is_given_it() {
        let port = Port::reserve();
        let others: Vec<_> = (0..500).map(|_| Port::reserve()).collect();
        assert!(others.iter().all(|other| other.number() != port.number()));
        // Not even a client that tries to connect there, as what it connects from.
        for _ in 0..30_000 {
            TcpStream::connect(port.address()).expect_err("nobody listens");
        }
    }
}
