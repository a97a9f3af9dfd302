//! The pin of the builder image: the default of `BUILDER_IMAGE` in build.sh.

use super::ImageRef;
use crate::escape::Shown as _;
use crate::failure::{Fault, unreadable};
use crate::record_file;
use anyhow::Result;
use std::path::Path;

/// Value of the pin while no image is published.
pub const UNPUBLISHED: &str = "unpublished";
const START: &str = "BUILDER_IMAGE=\"${BUILDER_IMAGE:-";
const END: &str = "}\"";

/// Reads the pin; `None` while no image is published.
///
/// # Errors
/// build.sh does not have exactly one pin, or it is not an image by digest.
pub fn read(path: &Path) -> Result<Option<ImageRef>> {
    let text = record_file::text(path)?;
    let pin = parse(&text).map_err(|fault| unreadable(path, &[fault]))?;
    Ok(pin.map(|(_, image)| image))
}

/// Returns `text` with `image` as the pin. The old value need not be valid.
pub fn replaced(text: &str, image: &ImageRef) -> Result<String, String> {
    let (_, value) = the_one(text)?;
    // `value` is a slice of `text`
    let at = value.as_ptr() as usize - text.as_ptr() as usize;
    Ok(format!("{}{image}{}", &text[..at], &text[at + value.len()..]))
}

/// Line and value of the pin, `None` while no image is published; or the line of a fault (0 for the
/// whole file) and its description.
pub fn parse(text: &str) -> Result<Option<(usize, ImageRef)>, Fault> {
    let (line, value) = only_line(text)?;
    if value == UNPUBLISHED {
        return Ok(None);
    }
    let image: ImageRef = value.parse().map_err(|error| (line, format!("{error}")))?;
    if image.digest.is_none() {
        let what = format!("`{}` has no digest: expected registry/name@sha256:…", value.shown());
        return Err((line, what));
    }
    Ok(Some((line, image)))
}

/// Number and value of the one line that holds the pin.
pub fn the_one(text: &str) -> Result<(usize, &str), String> {
    only_line(text).map_err(|(_, why)| why)
}

fn only_line(text: &str) -> Result<(usize, &str), Fault> {
    let found: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(n, l)| Some((n + 1, l.strip_prefix(START)?.strip_suffix(END)?)))
        .collect();
    match found[..] {
        [one] => Ok(one),
        _ => {
            let second = found.get(1).map_or(0, |(line, _)| *line);
            Err((second, format!("expected one line `{START}…{END}`, found {}", found.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pin_by_digest_or_none() {
        let line = |v: &str| format!("#!/bin/bash\n{START}{v}{END}\n");
        assert_eq!(parse(&line("unpublished")), Ok(None));
        let pin = format!("docker-registry:5000/silvermetal-builder@sha256:{}", "b".repeat(64));
        let (at, image) = parse(&line(&pin)).unwrap().unwrap();
        assert_eq!((at, image.to_string()), (2, pin));
        assert_eq!(parse(&line("registry/x:latest")).unwrap_err().0, 2);
        assert!(parse("").unwrap_err().1.contains("found 0"));
        let (at, why) = parse(&line("unpublished").repeat(2)).unwrap_err();
        assert_eq!((at, why.contains("found 2")), (4, true));
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
