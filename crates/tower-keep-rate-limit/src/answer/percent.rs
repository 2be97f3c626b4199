//! The encoding of `grpc-message`.

/// A message as a header can carry it: only what is not printable ASCII is encoded, and the sign itself.
pub(super) fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => {
                encoded.push('%');
                encoded.extend(
                    [byte >> 4, byte & 0xf].map(|digit| char::from(HEX[usize::from(digit)])),
                );
            }
            _ => encoded.push(byte.into()),
        }
    }
    encoded
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printable_stays_but_for_the_sign() {
        let printable: String = (' '..='~').collect();
        let encoded = percent_encoded(&printable);
        assert_eq!(encoded, printable.replace('%', "%25"));
    }

    #[test]
    fn everything_else_is_told_in_hexadecimal_bytes() {
        assert_eq!(percent_encoded("\n\u{7f}ö€"), "%0A%7F%C3%B6%E2%82%AC");
    }
}
