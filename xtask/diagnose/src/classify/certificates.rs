//! Certificates that a package makes for itself: one that the private key beside it belongs to was made with it;
//! any other one is somebody's.

use super::host_keys::decoded;
use crate::difference::Side;
use crate::images::Images;
use memchr::memmem;

/// Bytes that a key and its certificate have in common: the modulus of RSA, or the point of an elliptic curve.
const SHARED: usize = 60;

/// Returns true if the private key of each side belongs to the side's certificate. `path` is that of the
/// certificate.
pub(super) fn belong(images: &Images, layers: &[String], path: &str) -> bool {
    let Some((stem, _)) = path.rsplit_once('.') else { return false };
    let private = format!("{}.key", stem.replace("etc/ssl/certs/", "etc/ssl/private/"));
    [Side::A, Side::B].into_iter().all(|side| {
        let read = |path| {
            let text = String::from_utf8(images.read(side, layers, path)?).ok()?;
            let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
            decoded(&body)
        };
        read(path).zip(read(&private)).is_some_and(|(certificate, key)| share(&certificate, &key))
    })
}

/// Returns true if a stretch of the key stands in the certificate.
fn share(certificate: &[u8], key: &[u8]) -> bool {
    // a stretch that is twice as long holds one of these pieces as a whole
    let pieces = key.windows(SHARED).step_by(SHARED / 6);
    pieces.into_iter().any(|piece| memmem::find(certificate, piece).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shares_its_modulus() {
        let modulus: Vec<u8> = (0..128_u32).map(|i| (i * 37 % 251) as u8).collect();
        let with = |before: &[u8]| [before, &modulus, b"end"].concat();
        assert!(share(&with(b"certificate"), &with(b"key")));
        assert!(!share(&with(b"certificate"), &[b"key", &modulus[..50]].concat()));
        assert!(!share(b"", b""));
    }
}
