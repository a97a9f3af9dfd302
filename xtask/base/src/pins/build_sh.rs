//! The builder image pin: the one `BUILDER_IMAGE` default in build.sh.

use super::ImageRef;
use crate::failure::Code;
use anyhow::{Context as _, Result};
use std::path::Path;

/// What build.sh says while no image has been pushed anywhere.
pub const UNPUBLISHED: &str = "unpublished";
const START: &str = "BUILDER_IMAGE=\"${BUILDER_IMAGE:-";
const END: &str = "}\"";

/// The pin as build.sh holds it; `None` while nothing is published.
pub fn read(path: &Path) -> Result<Option<ImageRef>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).map_err(|why| Code::NotReady.error(format!("{}: {why}", path.display())))
}

/// `text` with `image` in the place of the pin, whatever that was.
pub fn replaced(text: &str, image: &ImageRef) -> Result<String, String> {
    let (_, value) = the_one(text)?;
    // both are slices of the same text
    let at = value.as_ptr() as usize - text.as_ptr() as usize;
    Ok(format!("{}{image}{}", &text[..at], &text[at + value.len()..]))
}

fn parse(text: &str) -> Result<Option<ImageRef>, String> {
    let (line, value) = the_one(text)?;
    if value == UNPUBLISHED {
        return Ok(None);
    }
    let image: ImageRef = value.parse().map_err(|error| format!("line {line}: {error}"))?;
    if image.digest.is_none() {
        return Err(format!(
            "line {line}: `{value}` has no digest: expected registry/name@sha256:…"
        ));
    }
    Ok(Some(image))
}

/// Number and value of the one line that holds the pin.
pub fn the_one(text: &str) -> Result<(usize, &str), String> {
    let found: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(n, l)| Some((n + 1, l.strip_prefix(START)?.strip_suffix(END)?)))
        .collect();
    match found[..] {
        [one] => Ok(one),
        _ => Err(format!("expected one line `{START}…{END}`, found {}", found.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pin_by_digest_or_an_honest_none() {
        let line = |v: &str| format!("#!/bin/bash\n{START}{v}{END}\n");
        assert_eq!(parse(&line("unpublished")), Ok(None));
        let pin = format!("docker-registry:5000/silvermetal-builder@sha256:{}", "b".repeat(64));
        assert_eq!(parse(&line(&pin)).unwrap().unwrap().to_string(), pin);
        assert!(parse(&line("registry/x:latest")).unwrap_err().contains("line 2"));
        assert!(parse("").unwrap_err().contains("found 0"));
        assert!(parse(&line("unpublished").repeat(2)).unwrap_err().contains("found 2"));
    }
    #[test]
    fn the_pin_is_replaced_and_nothing_else() {
        let text =
            |v: &str| format!("#!/bin/bash\n# BUILDER_IMAGE\n{START}{v}{END}\nexec \"$@\"\n");
        let pin = format!("r.example/b@sha256:{}", "c".repeat(64));
        for before in ["unpublished", "r.example/b:not-a-pin", ""] {
            assert_eq!(replaced(&text(before), &pin.parse().unwrap()).unwrap(), text(&pin));
        }
        let twice = text("a") + &text("b");
        assert!(replaced(&twice, &pin.parse().unwrap()).unwrap_err().contains("found 2"));
        assert!(replaced("", &pin.parse().unwrap()).unwrap_err().contains("found 0"));
    }
}
