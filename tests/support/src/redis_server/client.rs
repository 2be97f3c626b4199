use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// An answer of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Status(String),
    /// `-ERR …`
    Error(String),
    /// `:42`
    Integer(i64),
    /// `$5`, or nothing
    Bulk(Option<Vec<u8>>),
    /// `*2`, or nothing
    Array(Option<Vec<Reply>>),
}

impl Reply {
    /// The text of a status, an error or a bulk string.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Status(text) | Self::Error(text) => Some(text.clone()),
            Self::Bulk(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

/// Sends one command on a connection of its own and reads its answer.
///
/// Blocking and without a library, so that what the tests observe does not depend on the client
/// that they test.
pub(super) fn call(socket: &Path, words: &[&str]) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&encode(words))?;
    decode(&mut BufReader::new(stream))
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

fn decode(reader: &mut impl BufRead) -> io::Result<Reply> {
    let line = line(reader)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| malformed(&line))?;
    match kind {
        "+" => Ok(Reply::Status(rest.to_owned())),
        "-" => Ok(Reply::Error(rest.to_owned())),
        ":" => Ok(Reply::Integer(number(rest)?)),
        "$" => bulk(reader, number(rest)?).map(Reply::Bulk),
        "*" => array(reader, number(rest)?).map(Reply::Array),
        _ => Err(malformed(&line)),
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn bulk(reader: &mut impl Read, length: i64) -> io::Result<Option<Vec<u8>>> {
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    let mut bytes = vec![0; length + 2];
    reader.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(Some(bytes))
}

fn array(reader: &mut impl BufRead, length: i64) -> io::Result<Option<Vec<Reply>>> {
    if length < 0 {
        return Ok(None);
    }
    (0..length)
        .map(|_| decode(reader))
        .collect::<io::Result<_>>()
        .map(Some)
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| malformed(text))
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not an answer of Redis: {line:?}"),
    )
}

/// A paused server must fail a test's question, not hang it.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::{Reply, decode, encode};

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(
            encode(&["GET", "né"]),
            "*2\r\n$3\r\nGET\r\n$3\r\nné\r\n".as_bytes()
        );
    }

    #[test]
    fn every_kind_of_answer_is_read() {
        let mut bytes: &[u8] = b"*5\r\n+OK\r\n-ERR no\r\n:-7\r\n$2\r\n\r\n\r\n$-1\r\n";
        let expected = vec![
            Reply::Status("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Integer(-7),
            Reply::Bulk(Some(b"\r\n".to_vec())),
            Reply::Bulk(None),
        ];
        assert_eq!(decode(&mut bytes).unwrap(), Reply::Array(Some(expected)));
    }

    #[test]
    fn an_answer_cut_short_is_an_error() {
        for mut bytes in [&b"$5\r\nab"[..], b"", b"?\r\n", b":x\r\n"] {
            decode(&mut bytes).unwrap_err();
        }
    }
}
