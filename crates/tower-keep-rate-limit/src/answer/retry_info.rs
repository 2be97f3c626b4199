//! `google.rpc.Status` with a `google.rpc.RetryInfo`, as protobuf.
//!
//! Written by hand: a library for it would be the largest dependency of the crate, for forty bytes.

use std::time::Duration;

/// The status with its details, which say how long to wait.
///
/// ```text
/// Status { 1: code, 2: message, 3: [Any { 1: type_url, 2: RetryInfo { 1: Duration { 1: seconds, 2: nanos } } }] }
/// ```
pub(super) fn status(code: u8, message: &str, wait: Duration) -> Vec<u8> {
    let mut delay = Vec::new();
    number(1, wait.as_secs().min(LONGEST), &mut delay);
    number(2, wait.subsec_nanos().into(), &mut delay);
    let mut info = Vec::new();
    bytes(1, &delay, &mut info);
    let mut any = Vec::new();
    bytes(1, RETRY_INFO.as_bytes(), &mut any);
    bytes(2, &info, &mut any);
    let mut status = Vec::new();
    number(1, code.into(), &mut status);
    bytes(2, message.as_bytes(), &mut status);
    bytes(3, &any, &mut status);
    status
}

/// A field that is a number. Of zero there is nothing to say.
fn number(field: u8, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        out.push(field << 3);
        varint(value, out);
    }
}

/// A field that is a message or a string.
fn bytes(field: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | LENGTH_DELIMITED);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Seven bits to a byte, the least significant first; the eighth says that more follow.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const LENGTH_DELIMITED: u8 = 2;

/// The most seconds that a `Duration` of protobuf may have: ten thousand years.
const LONGEST: u64 = 315_576_000_000;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_protobuf() {
        let expected = [
            b"\x08\x08\x12\x02no\x1a\x37".as_slice(),
            b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo",
            b"\x12\x0b\x0a\x09\x08\xac\x02\x10\x80\xca\xb5\xee\x01",
        ]
        .concat();
        let wait = Duration::from_millis(300_500);
        assert_eq!(status(8, "no", wait), expected);
    }

    #[test]
    fn no_time_is_an_empty_message() {
        let written = status(8, "", Duration::ZERO);
        assert!(written.ends_with(b"RetryInfo\x12\x02\x0a\x00"));
    }
}
