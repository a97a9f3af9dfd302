//! Public host keys of sshd: one that the private key beside it holds was made with it; any other one is
//! somebody's.

use crate::difference::Side;
use crate::images::Images;

/// Returns true if the private key of each side holds the side's public key. `public` is the path of that.
pub(super) fn belong(images: &Images, layers: &[String], public: &str) -> bool {
    let Some(private) = public.strip_suffix(".pub") else { return false };
    [Side::A, Side::B].into_iter().all(|side| {
        let read = |path| String::from_utf8(images.read(side, layers, path)?).ok();
        let keys = read(public).zip(read(private));
        keys.is_some_and(|(public, private)| is_held(&public, &private))
    })
}

/// Returns true if a private key as OpenSSH writes it holds a public key.
fn is_held(public: &str, private: &str) -> bool {
    let public = public.split(' ').nth(1).and_then(decoded);
    let body: String = private.lines().filter(|line| !line.starts_with("-----")).collect();
    let held = decoded(&body);
    public.is_some() && public.as_deref() == held.as_deref().and_then(public_part)
}

/// The public key in a private one (OpenSSH, PROTOCOL.key): behind the cipher, and the function and the options
/// that derive its key.
fn public_part(key: &[u8]) -> Option<&[u8]> {
    let mut rest = key.strip_prefix(b"openssh-key-v1\0")?;
    for _ in 0..3 {
        (_, rest) = string(rest)?;
    }
    // the number of keys
    let rest = rest.strip_prefix(&[0, 0, 0, 1])?;
    Some(string(rest)?.0)
}

/// A string, behind its length, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

/// The bytes of a text in base64.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = text.trim_end_matches('=').bytes().map(value).collect::<Option<Vec<u8>>>()?;
    let mut bytes = Vec::new();
    for four in digits.chunks(4) {
        let number = (0..4).fold(0_u32, |n, i| n << 6 | u32::from(*four.get(i).unwrap_or(&0)));
        bytes.extend(&number.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // ssh-keygen -t ed25519 made both
    const PUBLIC: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLVrAnY4oOMZMq/DWf5jQrT5XcPhAdDi3ZA5ADK0VfT root@x\n";
    const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n\
        b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n\
        QyNTUxOQAAACAS1awJ2OKDjGTKvw1n+Y0K0+V3D4QHQ4t2QOQAytFX0wAAAJAdIEMjHSBD\n\
        IwAAAAtzc2gtZWQyNTUxOQAAACAS1awJ2OKDjGTKvw1n+Y0K0+V3D4QHQ4t2QOQAytFX0w\n\
        AAAEANU1GCXERtQIMZheSi3k/8IbSvFQJaOsf2abb1ksH60hLVrAnY4oOMZMq/DWf5jQrT\n\
        5XcPhAdDi3ZA5ADK0VfTAAAABnJvb3RAeAECAwQFBgc=\n\
        -----END OPENSSH PRIVATE KEY-----\n\
        ";

    #[test]
    fn a_private_key_holds_its_public_key() {
        assert!(is_held(PUBLIC, PRIVATE));
        assert!(!is_held(&PUBLIC.replace("AAAAI", "AAAAJ"), PRIVATE));
        assert!(!is_held(PUBLIC, "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"));
        assert!(!is_held("", "") && !is_held("ssh-ed25519", PRIVATE));
    }
}
