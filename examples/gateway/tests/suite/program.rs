//! The program as an operator runs it: what it says when it cannot start, and what it logs.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use tower_keep_test_support::Authority;

use crate::common::{Listening, Origin, Trusted, acceptor, ask, respond};

fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts it with this configuration, and what it says of that.
fn refusal(config: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, config).expect("written");
    let path = path.to_str().expect("a path");
    let output = gateway(&["--config", path]).output().expect("it runs");
    assert!(!output.status.success(), "{config}");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn what_makes_no_sense_is_one_line_that_says_where() {
    let origin = "origin = 'http://127.0.0.1:1'\nlisten = '127.0.0.1:0'\n";
    let secure = "origin = 'https://127.0.0.1:1'\nlisten = '127.0.0.1:0'\n";
    for (config, expected) in [
        ("", "--origin"),
        ("origin = 'app'", "http://"),
        ("origin = 'ftp://app'", "https://"),
        (&format!("{origin}pool = {{ ca = 'ca.pem' }}"), "pool.ca"),
        (
            &format!("{secure}pool = {{ ca = '/nosuch/ca.pem' }}"),
            "pool.ca: /nosuch/ca.pem",
        ),
        (
            &format!("{secure}pool = {{ ca = '/dev/null' }}"),
            "it has no certificate",
        ),
        (
            &format!("{secure}pool = {{ protocol = 'h2c' }}"),
            "pool.protocol: h2c",
        ),
        ("orgin = 'http://app'", "unknown field `orgin`"),
        ("origin = ", "line 1"),
        (
            &format!("{origin}timeouts = {{ response = 5 }}"),
            "a length of time",
        ),
        (
            &format!("{origin}timeouts = {{ response = '5' }}"),
            "a length of time",
        ),
        (&format!("{origin}store = 'nosuch:'"), "store"),
        (&format!("{origin}bounds = {{ head = 1 }}"), "bounds.head"),
        (&format!("{origin}consistency = 'perfect'"), "`eventual`"),
        (&format!("{origin}lease = '100ms'"), "250 ms"),
        (
            &format!("{origin}cache_status_name = ''"),
            "cache_status_name: it is empty",
        ),
        (
            &format!("{origin}timeouts = {{ response = '0s' }}"),
            "timeouts.response",
        ),
        (
            &format!("{origin}timeouts = {{ soft = '60s' }}"),
            "timeouts.soft",
        ),
        (&format!("{origin}targets = ['a b']"), "targets: \"a b\""),
        (&format!("{origin}targets = ['cache-control']"), "targets"),
        (
            &format!("{origin}tag_fields = ['cache-tag', 'Cache-Tag']"),
            "tag_fields: cache-tag is there twice",
        ),
        (
            &format!("{origin}tag_fields = ['cdn-cache-control']"),
            "tag_fields",
        ),
        (
            &format!("{origin}[classes.a]\nfresh_for = '1s'\nlease = '1ms'"),
            "the class \"a\": its lease",
        ),
        (
            &format!("{origin}[classes.a]\nfresh_for = '1s'\nlease = '1s'\nstore = false"),
            "it has a lease",
        ),
        (
            &format!("{origin}[classes.a]\nfresh_for = '1s'\nearly_refresh = -1"),
            "the class \"a\": its early refresh",
        ),
        (
            &format!(
                "{origin}[classes.a]\nfresh_for = '1s'\nsoft_timeout = '2s'\nhard_timeout = '1s'"
            ),
            "the class \"a\": its soft time-out",
        ),
        (
            &format!("{origin}[classes.a]\nfresh_for = '1s'\nhard_timeout = '60s'"),
            "the class \"a\": its hard_timeout",
        ),
        (
            &format!("{origin}routes = [{{ path = 'a' }}]"),
            "the route \"a\"",
        ),
        (
            &format!("{origin}[classes.a]\nfresh_for = '0s'"),
            "never fresh",
        ),
        (
            &format!("{origin}trusted_proxies = ['300.0.0.0/8']"),
            "line 3",
        ),
        (
            &format!(
                "{origin}rate_limits = [{{ name = 'a', by = 'b', limit = 1, window = '1s' }}]"
            ),
            "the rate limit \"a\"",
        ),
        (
            &format!(
                "{origin}rate_limits = [{{ name = 'a', by = 'address', limit = 0, window = '1s' }}]"
            ),
            "limit of 0",
        ),
        (
            &format!("{origin}[admin]\nlisten = '127.0.0.1:0'\ntoken = 'short'"),
            "admin.token",
        ),
        (&format!("{origin}[admin]\nlisten = '127.0.0.1:0'"), "token"),
    ] {
        let said = refusal(config);
        assert!(said.contains(expected), "{config:?}: {said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = gateway(&["--config", "/nosuch/gateway.toml"])
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(
        !output.status.success() && said.contains("/nosuch/gateway.toml"),
        "{said}"
    );
}

#[test]
fn each_request_is_a_line_of_json_with_its_outcome() {
    // Nothing listens there.
    let mut child = Running(
        gateway(&["--listen", "127.0.0.1:0", "--origin", "http://127.0.0.1:1"])
            .spawn()
            .expect("it runs"),
    );
    let address = listening(&mut child.0);
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = "GET /a?b=%22 HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let mut line = String::new();
    let output = child.0.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("a line");
    drop(child);
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["target"], "/a?b=%22");
    assert_eq!(line["host"], "site");
    assert_eq!(line["status"], 502);
    assert_eq!(line["outcome"], "error");
    assert_eq!(line["whole"], true);
    assert!(line["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
}

#[tokio::test]
async fn the_log_says_why_an_origin_is_not_trusted() {
    let (trusted, stranger) = (Trusted::new(), Authority::new());
    let how = Listening {
        tls: Some(acceptor(&stranger.certificate(&["127.0.0.1"]), &["h2"])),
        ..Listening::default()
    };
    let origin = Origin::listen(how, |_| respond(200, &[], "")).await;
    let config = format!(
        "listen = '127.0.0.1:0'\norigin = 'https://{}'\n{}",
        origin.address,
        trusted.pool("")
    );
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(config.as_bytes()).expect("written");
    let path = file.path().to_str().expect("a path");
    let mut child = Running(gateway(&["--config", path]).spawn().expect("it runs"));
    let mut said = BufReader::new(child.0.stderr.take().expect("piped"));
    let address = address(&mut said).parse().expect("an address");
    assert_eq!(ask(address, "GET /", &[]).await.status, 502);
    drop(child);
    let mut log = String::new();
    said.read_to_string(&mut log).expect("text");
    assert!(log.contains("UnknownIssuer"), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn authorities_that_the_system_knows_are_trusted() {
    let authority = Authority::new();
    let how = Listening {
        tls: Some(acceptor(&authority.certificate(&["127.0.0.1"]), &["h2"])),
        ..Listening::default()
    };
    let origin = Origin::listen(how, |_| respond(200, &[], "")).await;
    let mut known = tempfile::NamedTempFile::new().expect("a file");
    known
        .write_all(authority.pem().as_bytes())
        .expect("written");
    let url = format!("https://{}", origin.address);
    let mut command = gateway(&["--listen", "127.0.0.1:0", "--origin", &url]);
    command.env("SSL_CERT_FILE", known.path());
    let mut child = Running(command.spawn().expect("it runs"));
    let address = listening(&mut child.0).parse().expect("an address");
    assert_eq!(ask(address, "GET /", &[]).await.status, 200);
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where it says that it listens.
fn listening(child: &mut Child) -> String {
    address(&mut BufReader::new(child.stderr.take().expect("piped")))
}

fn address(lines: &mut impl BufRead) -> String {
    let mut said = String::new();
    lines.read_line(&mut said).expect("a line");
    let (_, url) = said.split_once("http://").expect("an address");
    url.trim().trim_end_matches('/').to_owned()
}
