//! Visitors of the site, over HTTP.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::common::LONG;

/// A client with a cookie, which goes to whichever process it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    pub(crate) cookie: Option<String>,
}

/// What a visitor was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) cookie: Option<String>,
}

impl Visitor {
    /// Somebody who has just logged in.
    pub(crate) async fn logged_in(at: SocketAddr) -> Self {
        let mut visitor = Self::default();
        assert_eq!(visitor.post(at, "/login/ada").await.status, 200);
        assert!(visitor.cookie.is_some());
        visitor
    }

    pub(crate) async fn get(&mut self, at: SocketAddr, path: &str) -> Told {
        self.ask(at, "GET", path).await.expect("it answers")
    }

    pub(crate) async fn post(&mut self, at: SocketAddr, path: &str) -> Told {
        self.ask(at, "POST", path).await.expect("it answers")
    }

    pub(crate) async fn number(&mut self, at: SocketAddr, name: &str) -> i64 {
        let told = self.get(at, &format!("/get/{name}")).await;
        assert_eq!(told.status, 200, "{told:?}");
        told.body.parse().expect("a number")
    }

    /// One request on a connection of its own; an error if the process is killed meanwhile.
    pub(crate) async fn ask(
        &mut self,
        at: SocketAddr,
        method: &str,
        path: &str,
    ) -> io::Result<Told> {
        let cookie = self
            .cookie
            .as_ref()
            .map(|cookie| format!("cookie: {cookie}\r\n"));
        let cookie = cookie.unwrap_or_default();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{cookie}\r\n");
        let ask = async {
            let mut stream = TcpStream::connect(at).await?;
            stream.write_all(head.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        let answer = timeout(PATIENCE, ask)
            .await
            .expect("nobody waits so long")?;
        let told = read(&answer).ok_or(io::ErrorKind::UnexpectedEof)?;
        if let Some(line) = &told.cookie {
            let pair = line.split(';').next().expect("a pair").to_owned();
            self.cookie = (!line.contains("Max-Age=0")).then_some(pair);
        }
        Ok(told)
    }
}

/// An answer; nothing if it is cut off.
fn read(answer: &str) -> Option<Told> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let field = |name: &str| {
        let mut lines = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines.find_map(|(other, value)| other.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    let length: usize = field("content-length").map_or(Some(0), |text| text.parse().ok())?;
    Some(Told {
        status: head.split(' ').nth(1)?.parse().ok()?,
        body: (body.len() == length).then(|| body.to_owned())?,
        cookie: field("set-cookie"),
    })
}

const PATIENCE: Duration = LONG.saturating_mul(2);
