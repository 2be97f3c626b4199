use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Reply, SOON};

pub(crate) async fn open(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// Sends these bytes, and reads until the other side closes.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = open(address).await;
    // It may be refused before all was sent.
    let _ = stream.write_all(request).await;
    read_to_end(&mut stream).await
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count)) = timeout(SOON, stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until this was read.
pub(crate) async fn read_until(stream: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buffer = [0; 1024];
        let read = timeout(SOON, stream.read(&mut buffer)).await;
        let count = read.expect("in time").expect("readable");
        assert!(count > 0, "ended after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

/// Sends a request line and fields, on a connection that closes after it. `Host` is added.
pub(crate) async fn ask(address: SocketAddr, line: &str, fields: &[&str]) -> Reply {
    let mut request = format!("{line} HTTP/1.1\r\nhost: site\r\nconnection: close\r\n");
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    Reply::parse(&exchange(address, request.as_bytes()).await)
}
