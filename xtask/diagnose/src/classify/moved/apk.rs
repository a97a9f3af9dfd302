//! Alpine's apk 2: one text, lib/apk/db/installed, with the SHA-1 of each file (Alpine wiki, Apk spec).

use super::manager::{Brought, Manager, Sum, View, merged, value};
use diskimage::hex;
use std::collections::BTreeMap;

const INSTALLED: &str = "lib/apk/db/installed";

pub(super) const MANAGER: Manager = Manager {
    has: |path| path == INSTALLED,
    versions: |view| Some(versions(&view.text(INSTALLED)?)),
    brought,
    shared: Some((INSTALLED, ["P:", "A:"])),
};

fn versions(installed: &str) -> BTreeMap<String, String> {
    let version =
        |package| Some((value(package, "P:")?.to_owned(), value(package, "V:")?.to_owned()));
    installed.split("\n\n").filter_map(version).collect()
}

fn brought(view: &View<'_>, name: &str, _: &str, found: &mut Brought) {
    let installed = view.text(INSTALLED).unwrap_or_default();
    let is_it = |package: &&str| value(package, "P:") == Some(name);
    let (mut folder, mut file) = ("", String::new());
    for line in installed.split("\n\n").filter(is_it).flat_map(str::lines) {
        match line.split_once(':') {
            Some(("F", path)) => {
                folder = path;
                found.folders.insert(merged(path));
            }
            Some(("R", name)) => {
                file = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                found.files.insert(merged(&file));
            }
            Some(("Z", sum)) => {
                if let Some(sum) = sum.strip_prefix("Q1").and_then(base64) {
                    found.sums.insert(merged(&file), Sum::Sha1(hex(&sum)));
                }
            }
            _ => {}
        }
    }
}

/// RFC 4648.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(base64("Zm9vYg==").as_deref(), Some(&b"foob"[..]));
        assert_eq!(base64("Zm9vYmFy").as_deref(), Some(&b"foobar"[..]));
        assert_eq!(base64("Zm9!"), None);
    }
}
