//! Shapes of whole contents: A and B are both what a rule's files usually are.

use crate::edits::are_other_ids;
use std::collections::HashSet;
use std::net::IpAddr;

/// Returns true if every line ends as on Unix, also the last one.
fn has_plain_lines(text: &str) -> bool {
    text.ends_with('\n') && !text.contains('\r')
}

/// One line of so many hexadecimal digits in lower case.
fn is_hex_line(text: &str, len: usize) -> bool {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.len() == len && line.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// machine-id(5).
pub(super) fn machine_ids(a: &str, b: &str) -> bool {
    [a, b].iter().all(|text| is_hex_line(text, 32)) && are_other_ids(a, b)
}

/// A UUID alone, or behind `nqn.2014-08.org.nvmexpress:uuid:` on both sides.
pub(super) fn host_uuids(a: &str, b: &str) -> bool {
    const NAME: &str = "nqn.2014-08.org.nvmexpress:uuid:";
    let line = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
    let (line_a, line_b) = (line(a), line(b));
    let ids = match (line_a.strip_prefix(NAME), line_b.strip_prefix(NAME)) {
        (Some(a), Some(b)) => [a, b],
        _ => [line_a.as_str(), line_b.as_str()],
    };
    // the name before them is the same, and no part of what was made anew
    a.len() == b.len() && ids.iter().all(|id| is_uuid(id)) && are_other_ids(ids[0], ids[1])
}

/// A host key of sshd: one private key, or one public key of the same kind on both sides.
pub(super) fn host_keys(a: &str, b: &str) -> bool {
    if crate::edits::are_other_keys(a, b) {
        return true;
    }
    let public = |text: &str| {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let mut words = line.split(' ');
        let (kind, key) = (words.next()?.to_owned(), words.next()?);
        let comment = words.next().unwrap_or_default();
        // a command or an option would stand before the kind
        let base64 = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-sha2-");
        (known
            && base64
            && key.starts_with("AAAA")
            && !line.contains('\n')
            && words.next().is_none()
            && !comment.contains(['"', ',']))
        .then_some(kind)
    };
    public(a).is_some() && public(a) == public(b)
}

/// One certificate.
pub(super) fn certificates(a: &str, b: &str) -> bool {
    let certificate = |text: &str| {
        let text = text.trim_end();
        text.starts_with("-----BEGIN CERTIFICATE-----\n")
            && text.ends_with("\n-----END CERTIFICATE-----")
            && text.matches("-----BEGIN").count() == 1
    };
    certificate(a) && certificate(b)
}

/// A UUID or hexadecimal digits alone, or as the last thing of one line; everything else is equal.
pub(super) fn host_ids(a: &str, b: &str) -> bool {
    let is_id = |text: &str| {
        is_uuid(text)
            || (matches!(text.len(), 8..=64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let (x, y): (Vec<&str>, Vec<&str>) = (a.split('\n').collect(), b.split('\n').collect());
    let differs = x.iter().zip(&y).filter(|(x, y)| x != y);
    x.len() == y.len()
        && differs.count() == 1
        && x.iter().zip(&y).filter(|(x, y)| x != y).all(|(x, y)| {
            let end = |line: &str| line.trim_end_matches('"').len();
            let cut = |line: &str| line.rfind([':', '=', '"']).map_or(0, |i| i + 1);
            let ((x, quotes), (y, others)) = (x.split_at(end(x)), y.split_at(end(y)));
            let ((before, x), (other, y)) = (x.split_at(cut(x)), y.split_at(cut(y)));
            (before, quotes) == (other, others) && is_id(x) && is_id(y) && are_other_ids(x, y)
        })
}

/// resolv.conf(5): addresses of name servers, and domains. The options are somebody's.
pub(super) fn resolvers(a: &str, b: &str) -> bool {
    let is = |text: &str| {
        has_plain_lines(text)
            && text.lines().all(|line| {
                let mut words = line.split_whitespace();
                match words.next() {
                    None => true,
                    Some(word) if word.starts_with('#') || word.starts_with(';') => true,
                    Some("nameserver") => {
                        let ip = words.next().is_some_and(|x| x.parse::<IpAddr>().is_ok());
                        ip && words.next().is_none()
                    }
                    Some("search" | "domain") => {
                        let sign = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
                        words.all(|name| name.chars().all(sign))
                    }
                    Some("options") => true,
                    Some(_) => false,
                }
            })
    };
    let options = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.trim_start().starts_with("options"));
        lines.map(str::to_owned).collect()
    };
    is(a) && is(b) && options(a) == options(b)
}

/// dracut's lists of what the machine that built has: one name a line.
pub(super) fn host_only(a: &str, b: &str) -> bool {
    let is = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        has_plain_lines(text) && text.lines().all(|line| line.chars().all(plain))
    };
    is(a) && is(b)
}

/// passwd(5), group(5): the same accounts, of which only numbers between 1 and 999 differ.
pub(super) fn account_numbers(a: &str, b: &str) -> bool {
    type Account = (Vec<String>, Vec<u32>);
    let accounts = |text: &str| -> Option<Vec<Account>> {
        let account = |line: &str| -> Option<Account> {
            let fields: Vec<&str> = line.split(':').collect();
            // name, password, number; of a user also the group's number, and four more
            let numbers = match fields.len() {
                7 => 2..4,
                4 => 2..3,
                _ => return None,
            };
            let values = fields[numbers.clone()].iter().map(|n| n.parse().ok());
            let values: Option<Vec<u32>> = values.collect();
            let named = |(i, field): (usize, &&str)| {
                if numbers.contains(&i) { String::new() } else { (*field).to_owned() }
            };
            Some((fields.iter().enumerate().map(named).collect(), values?))
        };
        let mut accounts: Vec<Account> =
            text.strip_suffix('\n')?.split('\n').map(account).collect::<Option<_>>()?;
        accounts.sort();
        Some(accounts)
    };
    let (Some(a), Some(b)) = (accounts(a), accounts(b)) else { return false };
    let system = |n: &u32| (1..1000).contains(n);
    // of two lines with one name or one number the first counts
    let distinct = |list: &[Account]| {
        let names: HashSet<_> = list.iter().map(|(fields, _)| &fields[0]).collect();
        let numbers: HashSet<_> = list.iter().map(|(_, numbers)| numbers[0]).collect();
        names.len() == list.len() && numbers.len() == list.len()
    };
    a.len() == b.len()
        && distinct(&a)
        && distinct(&b)
        && a.iter().zip(&b).all(|(x, y)| {
            x.0 == y.0 && x.1.iter().zip(&y.1).all(|(p, q)| p == q || (system(p) && system(q)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_system_numbers_may_change() {
        let a = "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n";
        assert!(account_numbers(a, &a.replace(":101:", ":102:")));
        assert!(!account_numbers(a, &a.replace(":101:", ":0:")));
        assert!(!account_numbers(a, &a.replace("nologin", "bash")));
        assert!(!account_numbers(a, &a.replace('\n', "\r\n")));
        assert!(!account_numbers(a, a.trim_end()));
        assert!(!account_numbers(a, &format!("{a}evil:x:105:105::/:/bin/sh\n")));
        let two = format!("{a}ntp:x:102:65534::/:/bin/false\n");
        assert!(account_numbers(&two, &two.replace(":102:", ":103:")));
        assert!(!account_numbers(&two, &two.replace(":102:", ":101:")));
    }

    #[test]
    fn a_shape_holds_on_both_sides() {
        let id = "5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n";
        let other = "9a31d0e24a1146cda1c6a5f3ce8d7b20\n";
        assert!(machine_ids(id, other));
        assert!(
            !machine_ids(id, other.trim_end()) && !machine_ids(id, &id.replace("a1\n", "a2\n"))
        );
        let named = |id: &str| format!("A=1\nMY_ID=\"{}\"\n", id.trim_end());
        assert!(host_ids(&named(id), &named(other)));
        assert!(!host_ids(&named(id), &named(other).replace('\n', "\r\n")));
        assert!(!host_ids(&named(id), named(other).trim_end()));
        assert!(!machine_ids(id, "uninitialized\n") && !machine_ids("", id));
        assert!(!machine_ids(id, &format!("{}\n", "0".repeat(32))));
        // those of two real builds
        let ids =
            ["4c4c4544-0051-4a10-8052-b3c04f4d3332\n", "8f0c1d52-9a7e-4f21-8c11-0242ac120002\n"];
        let nqn = ids.map(|id| format!("nqn.2014-08.org.nvmexpress:uuid:{id}"));
        assert!(host_uuids(ids[0], ids[1]) && host_uuids(&nqn[0], &nqn[1]));
        assert!(!host_uuids(ids[0], &nqn[1]) && !host_uuids(&nqn[0], &nqn[0].replace('5', "6")));
        // machine-id(5): in lower case
        assert!(!machine_ids(id, &other.to_uppercase()));
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHb1root root@alpha\n";
        assert!(host_keys(key, &key.replace("IHb1", "IKc9")));
        assert!(!host_keys(key, &format!("{key}{key}")));
        assert!(resolvers("nameserver 10.0.0.1\n", "nameserver 192.168.1.1\nsearch x\n"));
        assert!(!resolvers("nameserver 10.0.0.1\n", "nameserver $(id)\n"));
        assert!(!resolvers("nameserver 10.0.0.1\n", "nameserver 10.0.0.2\r\n"));
        assert!(!resolvers("nameserver 10.0.0.1\n", "nameserver 10.0.0.2 # $(id)\n"));
        assert!(!resolvers("search a.example\n", "search a.example;id\n"));
    }
}
