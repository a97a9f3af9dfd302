//! For every known cause a pair of real images that has just that difference, and the cause that is
//! named. The images are made with mksquashfs, xorriso and mtools; without them a test is skipped and
//! says so, but in a full run (`--include-ignored`) it fails.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start diagnose and the tools that make images"
)]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

/// One line a case: what differs, and the ids of the causes that are to be named, no others.
macro_rules! cases {
    ($($name:ident: $expected:expr, |$tree:ident, $side:ident| $make:block)*) => {$(
        #[test]
        fn $name() {
            needs_tools!();
            let make = |$tree: &Tree, $side: Side| $make;
            Pair::of_images(stringify!($name), make).names(&$expected);
        }
    )*};
}

/// The same for contents that prove nothing: unexplained, with the causes that they usually have.
macro_rules! hints {
    ($($name:ident: $causes:expr, $usually:expr, |$tree:ident, $side:ident| $make:block)*) => {$(
        #[test]
        fn $name() {
            needs_tools!();
            let make = |$tree: &Tree, $side: Side| $make;
            Pair::of_images(stringify!($name), make).hints(&$causes, &$usually);
        }
    )*};
}

mod containers;
mod contents;
mod formats;
mod hints;
mod images;
mod packages;
mod several;
